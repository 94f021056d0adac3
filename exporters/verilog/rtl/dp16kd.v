// A block RAM of ECP5 (DP16KD) as the netlists of snnc use it, for simulation: yosys ships no model of it.
//
// 2048 bytes of 9 bits. A word of 1, 2 or 4 bits is a part of the lower 8 bits of a byte; one of 18 or 36 bits has its bytes side
// by side, each with a bit of the address that enables it to be written. Of 36 bits, port A writes and port B reads, the upper
// half through the other port's pins (FPGA-DS-02012, sysMEM). An output holds what was read; a read in the clock of a write to
// the same word gives the old word.
module snn_dp16kd #(
    parameter DATA_WIDTH_A = 18, parameter DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", parameter REGMODE_B = "NOREG",
    parameter RESETMODE = "SYNC", parameter ASYNC_RESET_RELEASE = "SYNC",
    parameter CSDECODE_A = "0b000", parameter CSDECODE_B = "0b000",
    parameter WRITEMODE_A = "NORMAL", parameter WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA", parameter CLKBMUX = "CLKB",
    parameter INITVAL_00 = 320'b0, parameter INITVAL_01 = 320'b0, parameter INITVAL_02 = 320'b0, parameter INITVAL_03
    = 320'b0, parameter INITVAL_04 = 320'b0, parameter INITVAL_05 = 320'b0, parameter INITVAL_06 = 320'b0, parameter
    INITVAL_07 = 320'b0, parameter INITVAL_08 = 320'b0, parameter INITVAL_09 = 320'b0, parameter INITVAL_0A = 320'b0,
    parameter INITVAL_0B = 320'b0, parameter INITVAL_0C = 320'b0, parameter INITVAL_0D = 320'b0, parameter INITVAL_0E
    = 320'b0, parameter INITVAL_0F = 320'b0, parameter INITVAL_10 = 320'b0, parameter INITVAL_11 = 320'b0, parameter
    INITVAL_12 = 320'b0, parameter INITVAL_13 = 320'b0, parameter INITVAL_14 = 320'b0, parameter INITVAL_15 = 320'b0,
    parameter INITVAL_16 = 320'b0, parameter INITVAL_17 = 320'b0, parameter INITVAL_18 = 320'b0, parameter INITVAL_19
    = 320'b0, parameter INITVAL_1A = 320'b0, parameter INITVAL_1B = 320'b0, parameter INITVAL_1C = 320'b0, parameter
    INITVAL_1D = 320'b0, parameter INITVAL_1E = 320'b0, parameter INITVAL_1F = 320'b0, parameter INITVAL_20 = 320'b0,
    parameter INITVAL_21 = 320'b0, parameter INITVAL_22 = 320'b0, parameter INITVAL_23 = 320'b0, parameter INITVAL_24
    = 320'b0, parameter INITVAL_25 = 320'b0, parameter INITVAL_26 = 320'b0, parameter INITVAL_27 = 320'b0, parameter
    INITVAL_28 = 320'b0, parameter INITVAL_29 = 320'b0, parameter INITVAL_2A = 320'b0, parameter INITVAL_2B = 320'b0,
    parameter INITVAL_2C = 320'b0, parameter INITVAL_2D = 320'b0, parameter INITVAL_2E = 320'b0, parameter INITVAL_2F
    = 320'b0, parameter INITVAL_30 = 320'b0, parameter INITVAL_31 = 320'b0, parameter INITVAL_32 = 320'b0, parameter
    INITVAL_33 = 320'b0, parameter INITVAL_34 = 320'b0, parameter INITVAL_35 = 320'b0, parameter INITVAL_36 = 320'b0,
    parameter INITVAL_37 = 320'b0, parameter INITVAL_38 = 320'b0, parameter INITVAL_39 = 320'b0, parameter INITVAL_3A
    = 320'b0, parameter INITVAL_3B = 320'b0, parameter INITVAL_3C = 320'b0, parameter INITVAL_3D = 320'b0, parameter
    INITVAL_3E = 320'b0, parameter INITVAL_3F = 320'b0,
    parameter GSR = "ENABLED"
) (
    input wire DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2,
        DIA1, DIA0,
    input wire ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input wire CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output wire DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
        DOA2, DOA1, DOA0,
    input wire DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2,
        DIB1, DIB0,
    input wire ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input wire CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output wire DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
        DOB2, DOB1, DOB0
);
    localparam [64*320-1:0] INIT =
        {INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38, INITVAL_37,
        INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E,
        INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25,
        INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C,
        INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13,
        INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A,
        INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01,
        INITVAL_00};
    reg [8:0] bytes [0:2047];
    integer i, w;
    initial
        for (i = 0; i < 2048; i = i + 1)
            bytes[i] = INIT[(i / 32) * 320 + (i % 32) / 2 * 20 + (i % 2) * 9 +: 9];

    wire [17:0] di_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
        DIA3, DIA2, DIA1, DIA0};
    wire [17:0] di_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
        DIB3, DIB2, DIB1, DIB0};
    wire [13:0] a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    reg [35:0] read_a = 0, read_b = 0;
    wire clk_a = CLKAMUX == "INV" ? ~CLKA : CLKA;
    wire clk_b = CLKBMUX == "INV" ? ~CLKB : CLKB;

    function [35:0] word(input [13:0] at, input integer width);
        case (width)
            1: word = bytes[at[13:3]][at[2:0]];
            2: word = bytes[at[13:3]][{at[2:1], 1'b0} +: 2];
            4: word = bytes[at[13:3]][{at[2], 2'b0} +: 4];
            9: word = bytes[at[13:3]];
            18: word = {bytes[{at[13:4], 1'b1}], bytes[{at[13:4], 1'b0}]};
            default: word = {bytes[{at[13:5], 2'd3}], bytes[{at[13:5], 2'd2}], bytes[{at[13:5], 2'd1}], bytes[{at[13:5], 2'd0}]};
        endcase
    endfunction

    wire [35:0] data_a = {di_b, di_a}, data_b = {18'b0, di_b};
    always @(posedge clk_a)
        if (CEA) begin
            read_a <= word(a, DATA_WIDTH_A);
            if (WEA)
                case (DATA_WIDTH_A)
                    1: bytes[a[13:3]][a[2:0]] <= data_a[0];
                    2: bytes[a[13:3]][{a[2:1], 1'b0} +: 2] <= data_a[1:0];
                    4: bytes[a[13:3]][{a[2], 2'b0} +: 4] <= data_a[3:0];
                    9: bytes[a[13:3]] <= data_a[8:0];
                    18: begin
                        if (a[0]) bytes[{a[13:4], 1'b0}] <= data_a[8:0];
                        if (a[1]) bytes[{a[13:4], 1'b1}] <= data_a[17:9];
                    end
                    default: begin
                        if (a[0]) bytes[{a[13:5], 2'd0}] <= data_a[8:0];
                        if (a[1]) bytes[{a[13:5], 2'd1}] <= data_a[17:9];
                        if (a[2]) bytes[{a[13:5], 2'd2}] <= data_a[26:18];
                        if (a[3]) bytes[{a[13:5], 2'd3}] <= data_a[35:27];
                    end
                endcase
        end
    always @(posedge clk_b)
        if (CEB)
            read_b <= word(b, DATA_WIDTH_B);

    // What a netlist of snnc has no use for is no part of the model, and says so.
    always @(posedge CLKB)
        if (WEB === 1'b1 || RSTA === 1'b1 || RSTB === 1'b1 || REGMODE_A != "NOREG" || REGMODE_B != "NOREG") begin
            $display("error: this use of DP16KD is not modelled");
            $finish;
        end

    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2,
        DOB1, DOB0} = DATA_WIDTH_B == 36 ? read_b[35:18] : read_b[17:0];
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2,
        DOA1, DOA0} = DATA_WIDTH_B == 36 ? read_b[17:0] : read_a[17:0];
endmodule
