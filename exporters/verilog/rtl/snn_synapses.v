// The synapses of a lane. Without LOADED they are an image in block RAM; with LOADED the memory starts empty, is filled through
// its write port, and may lie in large single-port RAM that no bitstream fills (iCE40UP5K: SPRAM).
module snn_synapses #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS = 1,
    parameter IMAGE = "",
    parameter LOADED = 0
) (
    input wire clk,
    input wire write,
    input wire [ADDRESS-1:0] write_address,
    input wire [WIDTH-1:0] write_data,
    input wire read,
    input wire [ADDRESS-1:0] read_address,
    output wire [WIDTH-1:0] read_data
);
    generate
        if (LOADED != 0) begin : loaded
            (* ram_style = "huge" *)
            reg [WIDTH-1:0] words [0:DEPTH-1];
            reg [WIDTH-1:0] word;
            wire [ADDRESS-1:0] address = write ? write_address : read_address;
            always @(posedge clk) begin
                if (write)
                    words[address] <= write_data;
                else
                    word <= words[address];
            end
            assign read_data = word;
        end else begin : constant
            snn_ram #(.WIDTH(WIDTH), .DEPTH(DEPTH), .ADDRESS(ADDRESS), .IMAGE(IMAGE)) rom (
                .clk(clk), .write(1'b0), .write_address({ADDRESS{1'b0}}), .write_data({WIDTH{1'b0}}),
                .read(read), .read_address(read_address), .read_data(read_data)
            );
        end
    endgenerate
endmodule
