// Loads weights_1.txt to weights_4.txt into a SYNtzulu, plays inputs.hex to its network and writes down what every step leaves.
//
// config.txt has the sizes, decays and thresholds, as the design's own tools write them. inputs.hex: for each step "1", if all
// voltages begin at 0, else "0", and the spikes of the inputs in fours, as hexadecimal digits, the first in the highest bit.
// currents.txt: what is integrated by both cores, "even odd", neuron after neuron, layer after layer; voltages.txt: "v spike v
// spike" of both cores, in the same order. The design is the user's own clone.
`timescale 1ns/1ps
`include "config.txt"
module testbench;
    localparam TOTAL = `NEURON_1 + `NEURON_2 + `NEURON_3 + `NEURON_4;

    reg clk = 0, rst = 1, en = 0;
    reg [3:0] spikes = 0, writes = 0;
    reg [14:0] address = 0;
    reg [15:0] word = 0;
    wire done;

    snn_lp #(
        .WIDTH(16), .INPUT_SPIKE_1(`INPUT_SPIKE_1), .NEURON_1(`NEURON_1), .INPUT_SPIKE_2(`NEURON_1), .NEURON_2(`NEURON_2),
        .INPUT_SPIKE_3(`NEURON_2), .NEURON_3(`NEURON_3), .INPUT_SPIKE_4(`NEURON_3), .NEURON_4(`NEURON_4),
        .WEIGHTS_FILE_1(""), .WEIGHTS_FILE_2(""), .WEIGHTS_FILE_3(""), .WEIGHTS_FILE_4(""),
        .current_decay_1(`CURRENT_DECAY_1), .current_decay_2(`CURRENT_DECAY_2), .current_decay_3(`CURRENT_DECAY_3),
        .current_decay_4(`CURRENT_DECAY_4), .voltage_decay_1(`VOLTAGE_DECAY_1), .voltage_decay_2(`VOLTAGE_DECAY_2),
        .voltage_decay_3(`VOLTAGE_DECAY_3), .voltage_decay_4(`VOLTAGE_DECAY_4), .threshold_1(`THRESHOLD_1),
        .threshold_2(`THRESHOLD_2), .threshold_3(`THRESHOLD_3), .threshold_4(`THRESHOLD_4),
        .WEIGHT_DEPTH_12(32768), .WEIGHT_DEPTH_34(32768)
    ) snn (
        .clk(clk), .rst(rst), .en(en), .spike_in(spikes), .active_group_in(|spikes), .valid(done), .valid_spike(), .spike_out(),
        .integrated_neuron(),
        .weight_mem_L1_wren({8{writes[0]}}), .weight_mem_L1_wr_addr(address), .weight_mem_L1_data_in(word),
        .weight_mem_L1_data_out(), .weight_mem_L1_ena(writes[0]),
        .weight_mem_L2_wren({8{writes[1]}}), .weight_mem_L2_wr_addr(address), .weight_mem_L2_data_in(word),
        .weight_mem_L2_data_out(), .weight_mem_L2_ena(writes[1]),
        .weight_mem_L3_wren({8{writes[2]}}), .weight_mem_L3_wr_addr(address), .weight_mem_L3_data_in(word),
        .weight_mem_L3_data_out(), .weight_mem_L3_ena(writes[2]),
        .weight_mem_L4_wren({8{writes[3]}}), .weight_mem_L4_wr_addr(address), .weight_mem_L4_data_in(word),
        .weight_mem_L4_data_out(), .weight_mem_L4_ena(writes[3]),
        .o_spike_mem_dat(), .i_spike_mem_adr(8'd0), .i_spike_mem_rd_en(2'd0), .i_spike_mem_wr_en(2'd0), .i_spike_mem_dat(4'd0),
        .snn_input_channels(8'd0), .neuron_1(8'd0), .neuron_2(8'd0), .neuron_3(8'd0), .neuron_4(8'd0), .layers(3'd4),
        .output_buffer_ren(1'b0), .output_buffer_addr(8'd0), .output_buffer_out()
    );

    always #5 clk = ~clk;

    integer currents, voltages, file, high, low, fresh, group, n, steps = 0;

    always @(negedge clk) if (!rst) begin
        if (snn.layer_lp_l1_i.neuron_lp_i.Voltage_i.en)
            $fwrite(currents, "%0d %0d\n", $signed(snn.layer_lp_l1_i.neuron_lp_i.Voltage_i.stimolo),
                    $signed(snn.layer_lp_l2_i.neuron_lp_i.Voltage_i.stimolo));
        if (snn.layer_lp_l1_i.neuron_lp_i.Voltage_i.valid)
            $fwrite(voltages, "%0d %0d %0d %0d\n", $signed(snn.layer_lp_l1_i.neuron_lp_i.Voltage_i.output_new),
                    snn.layer_lp_l1_i.neuron_lp_i.Voltage_i.spike, $signed(snn.layer_lp_l2_i.neuron_lp_i.Voltage_i.output_new),
                    snn.layer_lp_l2_i.neuron_lp_i.Voltage_i.spike);
    end

    task load;
        input [8*13-1:0] name;
        input integer memory;
        begin
            file = $fopen(name, "r");
            address = 0;
            while ($fscanf(file, "%h %h", high, low) == 2) begin
                word = {high[7:0], low[7:0]};
                writes = 4'd1 << memory;
                @(negedge clk);
                address = address + 1'b1;
            end
            writes = 0;
            $fclose(file);
        end
    endtask

    initial begin
        currents = $fopen("currents.txt", "w");
        voltages = $fopen("voltages.txt", "w");
        repeat (4) @(negedge clk);
        load("weights_1.txt", 0);
        load("weights_2.txt", 1);
        load("weights_3.txt", 2);
        load("weights_4.txt", 3);
        rst = 0;
        repeat (4) @(negedge clk);
        file = $fopen("inputs.hex", "r");
        while ($fscanf(file, "%h", fresh) == 1) begin
            if (fresh) for (n = 0; n < TOTAL / 2; n = n + 1) begin
                snn.layer_lp_l1_i.neuron_lp_i.Voltage_i.fifo_i.fifo_ram.ram[n] = 0;
                snn.layer_lp_l2_i.neuron_lp_i.Voltage_i.fifo_i.fifo_ram.ram[n] = 0;
            end
            for (n = 0; n < `INPUT_SPIKE_1 / 4; n = n + 1) begin
                if ($fscanf(file, "%h", group) != 1) $fatal(1, "inputs.hex ends within a step");
                spikes = group[3:0];
                en = 1;
                @(negedge clk);
            end
            en = 0;
            spikes = 0;
            while (!done) @(negedge clk);
            repeat (8) @(negedge clk);
            steps = steps + 1;
        end
        $finish;
    end
endmodule
