// Plays commands.hex to the host interface of a Catalyst N1 and writes down what every run leaves.
//
// commands.hex: one command a line, as hexadecimal bytes: "R n b0 .. bn-1", R the bytes of the answer that is waited for.
// spikes.txt: "core run neuron" of each spike; states.txt: "core v u" of each neuron of a core after each run, one a line.
// The design is the user's own clone; its parameters come from the command line of the simulator.
`timescale 1ns/1ps
module testbench;
    parameter CORES = 1, CORE_BITS = 1, NEURONS = 64, NEURON_BITS = 6, POOL = 64, POOL_BITS = 6, COUNT_BITS = 12;

    reg clk = 0, rst_n = 0;
    reg [7:0] to_chip = 0;
    reg sends = 0;
    wire [7:0] from_chip;
    wire answers;
    integer run = 0, trace = 1, spikes, states;
    event dump;

    neuromorphic_top #(
        .BYPASS_UART(1), .NUM_CORES(CORES), .CORE_ID_BITS(CORE_BITS), .NUM_NEURONS(NEURONS), .NEURON_BITS(NEURON_BITS),
        .POOL_DEPTH(POOL), .POOL_ADDR_BITS(POOL_BITS), .COUNT_BITS(COUNT_BITS), .NOC_MODE(0), .CHIP_LINK_EN(0)
    ) chip (
        .clk(clk), .rst_n(rst_n), .uart_rxd(1'b1), .uart_txd(), .link_tx_data(), .link_tx_valid(), .link_tx_ready(1'b0),
        .link_rx_data(8'd0), .link_rx_valid(1'b0), .link_rx_ready(), .rx_data_ext(to_chip), .rx_valid_ext(sends),
        .tx_data_ext(from_chip), .tx_valid_ext(answers), .tx_ready_ext(1'b1)
    );

    always #5 clk = ~clk;

    genvar core;
    generate
        for (core = 0; core < CORES; core = core + 1) begin : watch
            integer n;
            always @(negedge clk)
                if (chip.gen_barrier_mesh.u_mesh.gen_core[core].core.spike_out_valid)
                    $fwrite(spikes, "%0d %0d %0d\n", core, run, chip.gen_barrier_mesh.u_mesh.gen_core[core].core.spike_out_id);
            always @(dump)
                for (n = 0; n < NEURONS; n = n + 1)
                    $fwrite(states, "%0d %0d %0d\n", core,
                            $signed(chip.gen_barrier_mesh.u_mesh.gen_core[core].core.neuron_mem.mem[n]),
                            $signed(chip.gen_barrier_mesh.u_mesh.gen_core[core].core.current_mem.mem[n]));
        end
    endgenerate

    integer file, answer, length, sent, got, value;
    reg [7:0] opcode;

    always @(posedge clk) if (answers) got = got + 1;

    initial begin
        if (!$value$plusargs("trace=%d", trace)) trace = 1;
        got = 0;
        repeat (4) @(posedge clk);
        @(negedge clk) rst_n = 1;
        @(negedge clk);
        file = $fopen("commands.hex", "r");
        spikes = $fopen("spikes.txt", "w");
        states = $fopen("states.txt", "w");
        while ($fscanf(file, "%h %h", answer, length) == 2) begin
            got = 0;
            for (sent = 0; sent < length; sent = sent + 1) begin
                value = 0;
                if ($fscanf(file, "%h", value) != 1) $fatal(1, "commands.hex ends within a command");
                if (sent == 0) opcode = value[7:0];
                to_chip = value[7:0];
                sends = 1;
                @(negedge clk);
            end
            sends = 0;
            while (got < answer) @(negedge clk);
            @(negedge clk);
            if (opcode == 8'h04) begin
                if (trace != 0) -> dump;
                #1 run = run + 1;
            end
        end
        $finish;
    end
endmodule
