// A memory with one write port and one read port, both synchronous: block RAM on every FPGA. With IMAGE it starts with the
// contents of that file. The design never uses a word that is read in the clock in which it is written, so a synthesis tool need
// not care what such a read gives (no_rw_check).
module snn_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS = 1,
    parameter SMALL = 0,            // memories of at most so many words are made of logic cells, where the FPGA's can be memory
    parameter IMAGE = ""
) (
    input wire clk,
    input wire write,
    input wire [ADDRESS-1:0] write_address,
    input wire [WIDTH-1:0] write_data,
    input wire read,
    input wire [ADDRESS-1:0] read_address,
    output reg [WIDTH-1:0] read_data
);
    generate
        if (DEPTH <= SMALL) begin : in_cells
            (* no_rw_check, ram_style = "distributed" *)
            reg [WIDTH-1:0] words [0:DEPTH-1];
            if (IMAGE != "") begin : image
                initial $readmemh(IMAGE, words);
            end
            always @(posedge clk) begin
                if (write)
                    words[write_address] <= write_data;
                if (read)
                    read_data <= words[read_address];
            end
        end else begin : in_blocks
            (* no_rw_check *)
            reg [WIDTH-1:0] words [0:DEPTH-1];
            if (IMAGE != "") begin : image
                initial $readmemh(IMAGE, words);
            end
            always @(posedge clk) begin
                if (write)
                    words[write_address] <= write_data;
                if (read)
                    read_data <= words[read_address];
            end
        end
    endgenerate
endmodule
