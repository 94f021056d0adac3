// Copies the synapses of all lanes from a SPI flash into the network's memory after a reset, one bit every two clocks, and checks
// that they are those that the design was written for: the CRC-32 of their bits is CRC.
//
// The flash may have been sent to sleep by the FPGA's own start, so that it is woken up first (0xAB); it gets 63 bits of time, then
// one read (0x03) from OFFSET on. Words lie in whole bytes, the highest bit first, lane after lane.
module snn_flash #(
    parameter OFFSET = 24'h100000,
    parameter LANES = 1,
    parameter LANE = 1,
    parameter SYNAPSES = 2,
    parameter SYNAPSE_ADDRESS = 1,
    parameter SYNAPSE = 8,
    parameter CRC = 32'h0
) (
    input wire clk,
    input wire reset,
    output reg sck,
    output reg cs_n,
    output wire mosi,
    input wire miso,
    output reg load_valid,
    output reg [LANE-1:0] load_lane,
    output reg [SYNAPSE_ADDRESS-1:0] load_address,
    output wire [SYNAPSE-1:0] load_data,
    output wire busy,
    output reg good                 // what was read is what it should be
);
    localparam BITS = 8 * ((SYNAPSE + 7) / 8); // of a word in the flash, at most 64
    localparam [31:0] READS = {8'h03, OFFSET[23:0]}, WAKES = 32'hab;
    localparam WAKE = 3'd0, WAIT = 3'd1, COMMAND = 3'd2, READ = 3'd3, CHECK = 3'd4, DONE = 3'd5;

    reg [2:0] state;
    reg [SYNAPSE-1:0] bits;         // what was received of a word
    reg [5:0] left;                 // bits to go, less one
    reg [31:0] crc;
    reg last;
    wire at_end = load_address == SYNAPSES - 1;
    assign mosi = state == COMMAND ? READS[left[4:0]] : WAKES[left[4:0]];
    assign load_data = bits;
    assign busy = state != DONE;

    always @(posedge clk) begin
        load_valid <= 1'b0;
        if (load_valid) begin
            load_address <= at_end ? {SYNAPSE_ADDRESS{1'b0}} : load_address + 1'b1;
            load_lane <= load_lane + at_end;
        end
        sck <= !reset && busy && state != CHECK && !sck; // written once, so that it never changes twice in a clock
        if (busy && !sck) begin     // the clock rises: the flash takes a bit, and so does the design
            if (state == READ) begin
                bits <= {bits, miso};
                crc <= {crc[30:0], 1'b0} ^ (crc[31] ^ miso ? 32'h04c11db7 : 32'h0);
                load_valid <= left == 0;
                last <= at_end && load_lane == LANES - 1;
            end
        end else if (busy) begin    // the clock falls: the next bit
            left <= left - 1'b1;
            if (left == 0)
                case (state)
                    WAKE: begin
                        state <= WAIT;
                        cs_n <= 1'b1;
                        left <= 6'd62;
                    end
                    WAIT: begin
                        state <= COMMAND;
                        cs_n <= 1'b0;
                        left <= 6'd31;
                    end
                    default: begin
                        state <= state == READ && last ? CHECK : READ;
                        left <= BITS - 1;
                    end
                endcase
        end
        if (state == CHECK) begin
            cs_n <= 1'b1;
            good <= crc == CRC;
            state <= DONE;
        end
        if (reset) begin
            state <= WAKE;
            cs_n <= 1'b0;
            left <= 6'd7;
            crc <= 32'hffffffff;
            last <= 1'b0;
            good <= 1'b0;
            load_valid <= 1'b0;
            load_lane <= {LANE{1'b0}};
            load_address <= {SYNAPSE_ADDRESS{1'b0}};
        end
    end
endmodule
