// A SPI flash, for simulation: asleep at first, as an iCE40 leaves it; 0xAB wakes it up within WAKE_NS, 0x03 reads. It holds the
// bytes of flash.hex from BASE on; every other byte is erased (0xff).
`timescale 1ns / 1ps
module spi_flash #(
    parameter BASE = 24'h100000,
    parameter BYTES = 2,
    parameter WAKE_NS = 360
) (
    input wire sck,
    input wire cs_n,
    input wire mosi,
    output reg miso
);
    reg [7:0] content [0:BYTES-1];
    reg asleep = 1;
    reg [31:0] in;
    integer taken, given, i;
    initial begin
        for (i = 0; i < BYTES; i = i + 1)
            content[i] = 8'hff;
        $readmemh("flash.hex", content);
    end

    function [7:0] byte_at;
        input integer address;
        byte_at = address >= BASE && address < BASE + BYTES ? content[address - BASE] : 8'hff;
    endfunction

    always @(negedge cs_n) begin
        taken = 0;
        given = 0;
    end
    always @(posedge cs_n) begin
        miso <= 1'bz;
        if (taken >= 8 && in >> (taken - 8) == 8'hab)
            asleep <= #(WAKE_NS) 1'b0;
    end
    always @(posedge sck)
        if (!cs_n && taken < 32) begin
            in = taken == 0 ? mosi : {in[30:0], mosi};
            taken = taken + 1;
        end
    reg [7:0] a_byte;
    always @(negedge sck)
        if (!cs_n && !asleep && taken == 32 && in[31:24] == 8'h03) begin
            a_byte = byte_at(in[23:0] + given / 8);
            miso <= a_byte[7 - given % 8];
            given = given + 1;
        end
endmodule
