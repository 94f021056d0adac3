// A serial port of 8 bits, no parity, one stop bit: DIVIDER clocks a bit.
module snn_uart #(parameter DIVIDER = 12) (
    input wire clk,
    input wire reset,
    input wire rx,
    output wire tx,
    output reg received,            // for one clock: `data_in` is a byte that came
    output reg [7:0] data_in,
    input wire send,                // take data_out; only while ready
    input wire [7:0] data_out,
    output wire ready
);
    reg [15:0] wait_in, wait_out;
    reg [3:0] bits_in, bits_out;
    reg [2:0] line;                 // rx, brought into this clock
    reg [8:0] out;
    assign ready = bits_out == 0;
    assign tx = ready ? 1'b1 : out[0];

    always @(posedge clk) begin
        line <= {line[1:0], rx};
        received <= 1'b0;
        if (bits_in == 0) begin
            wait_in <= DIVIDER + DIVIDER / 2 - 1; // from the edge of the start bit to the middle of the first bit
            if (!line[2])
                bits_in <= 4'd9;
        end else if (wait_in != 0)
            wait_in <= wait_in - 1'b1;
        else begin
            wait_in <= DIVIDER - 1;
            bits_in <= bits_in - 1'b1;
            if (bits_in != 1)
                data_in <= {line[2], data_in[7:1]};
            else
                received <= line[2]; // the stop bit
        end
        if (ready) begin
            wait_out <= DIVIDER - 1;
            out <= {data_out, 1'b0};
            if (send)
                bits_out <= 4'd10;
        end else if (wait_out != 0)
            wait_out <= wait_out - 1'b1;
        else begin
            wait_out <= DIVIDER - 1;
            out <= {1'b1, out[8:1]};
            bits_out <= bits_out - 1'b1;
        end
        if (reset) begin
            line <= 3'b111;
            bits_in <= 4'd0;
            bits_out <= 4'd0;
            received <= 1'b0;
        end
    end
endmodule
