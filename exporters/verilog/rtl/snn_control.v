// Runs the schedule of a step: the lists of events, the rows of synapses of each event, and the update of the neurons.
//
// A list of events lies in `events`: first how many there are, then each as {message, neuron}. An instruction is one of
//   CLOSE   write down how many events an input has got for this step
//   WALK    go through the synapses of all events of a list, into the sums of the lanes
//   UPDATE  one step of all neurons of a population; those that fire are the events of a new list
//   END     the step is over
module snn_control #(
    parameter LANES = 1,
    parameter LANE = 1,             // bits of a lane's number, at least 1
    parameter PC = 1,
    parameter POPULATION = 1,
    parameter INPUTS = 1,
    parameter INDEX = 1,            // bits of a neuron's number, and of how many there are
    parameter MESSAGE = 1,
    parameter WORD = 2,             // bits of an event
    parameter EVENTS = 2,
    parameter EVENT_ADDRESS = 1,
    parameter ROWS = 2,
    parameter ROW_ADDRESS = 1,
    parameter ROW = 2,              // bits of where a row begins: one more than of an address of a synapse; or {base, row}
    parameter SHARED = 0,           // whether sources share rows of synapses, each with a base for their targets
    parameter SHAPE = 1,            // bits of which shared row a source has
    parameter SYNAPSE_ADDRESS = 1,
    parameter FIELDS = 1,
    parameter SUMS = 2,
    parameter GROUP = 1,
    parameter STATE_ADDRESS = 1,
    parameter AGE = 1,
    parameter ROWS_IMAGE = ""
) (
    input wire clk,
    input wire reset,
    output wire ready,              // the next event, step or clear is taken
    input wire clear,               // begin a sample: all states are 0, nothing was sent
    input wire step,
    input wire event_valid,
    input wire [POPULATION-1:0] event_population,
    input wire [INDEX-1:0] event_index,
    input wire [MESSAGE-1:0] event_message,
    output wire spike_valid,
    output wire [POPULATION-1:0] spike_population,
    output wire [INDEX-1:0] spike_index,
    output wire trace_valid,        // the states of a group of LANES neurons are at the lanes' outputs
    // the schedule
    output reg [PC-1:0] pc,
    output wire fetch,              // the instruction is taken
    output wire end_of_step,
    input wire [1:0] operation,
    input wire [POPULATION-1:0] population,
    input wire [EVENT_ADDRESS-1:0] list,
    input wire [EVENT_ADDRESS-1:0] input_list, // of event_population
    input wire [AGE-1:0] delay,
    input wire [ROW_ADDRESS-1:0] first_row,
    input wire graded,
    input wire shared,
    input wire [FIELDS-1:0] field,
    input wire [GROUP-1:0] last_group,
    input wire [LANES-1:0] last_lanes,
    input wire [STATE_ADDRESS-1:0] first_state,
    input wire sends,
    // the lanes
    output wire sweep,
    output reg [GROUP-1:0] sweep_group,
    output wire read_synapse,
    output wire [SYNAPSE_ADDRESS-1:0] synapse_address,
    output reg valid_b,
    output reg [MESSAGE-1:0] message_b,
    output wire [GROUP-1:0] base_b, // is added to the targets
    output wire [FIELDS-1:0] field_b,
    output wire read_neuron,
    output reg [GROUP-1:0] group_1,
    output reg [STATE_ADDRESS-1:0] state_address_1,
    output wire advance,
    output wire fresh,
    output wire write_neuron,
    output reg [GROUP-1:0] group_3,
    output reg [STATE_ADDRESS-1:0] state_address_3,
    input wire [LANES-1:0] spikes_3
);
    localparam CLOSE = 2'd0, WALK = 2'd1, UPDATE = 2'd2;
    localparam SWEEP = 4'd0, IDLE = 4'd1, FETCH = 4'd2, DECODE = 4'd3, COUNT = 4'd4, FIRST = 4'd5, START = 4'd6, STOP = 4'd7,
               DRAIN = 4'd8, NEURONS = 4'd9, WRITE = 4'd10, LOOK = 4'd11;

    reg [3:0] state;
    assign ready = state == IDLE;
    assign sweep = state == SWEEP;
    assign fetch = state == FETCH;

    // Steps since the sample began, up to the longest delay.
    reg [AGE-1:0] age;
    assign fresh = age == 0;

    // The instruction, in registers.
    reg [1:0] operation_r;
    reg [POPULATION-1:0] population_r;
    reg [EVENT_ADDRESS-1:0] list_r;
    reg [AGE-1:0] delay_r;
    reg [ROW_ADDRESS-1:0] first_row_r;
    reg graded_r, sends_r, shared_r;
    reg [FIELDS-1:0] field_r;
    reg [GROUP-1:0] last_group_r;
    reg [LANES-1:0] last_lanes_r;
    reg [STATE_ADDRESS-1:0] first_state_r;
    always @(posedge clk)
        if (state == FETCH) begin
            operation_r <= operation;
            population_r <= population;
            list_r <= list;
            delay_r <= delay;
            first_row_r <= first_row;
            graded_r <= graded;
            shared_r <= shared;
            sends_r <= sends;
            field_r <= field;
            last_group_r <= last_group;
            last_lanes_r <= last_lanes;
            first_state_r <= first_state;
        end
    assign field_b = field_r;
    assign end_of_step = state == DECODE && operation_r == 2'd3;

    // Events.
    reg [INDEX-1:0] counts [0:INPUTS-1]; // of each input in this step
    reg [INDEX-1:0] fired;               // of this population in this step
    reg [INDEX-1:0] waiting;             // events of the list that are not yet walked
    reg [EVENT_ADDRESS-1:0] event_address;
    wire [WORD-1:0] an_event;
    reg [EVENT_ADDRESS-1:0] event_write_address;
    reg [WORD-1:0] event_write_data;
    reg event_write;
    wire takes_event = ready && event_valid;
    wire push;
    wire more = waiting != 1;
    wire read_event = (state == DECODE) || (state == COUNT) || (state == START);
    snn_ram #(.WIDTH(WORD), .DEPTH(EVENTS), .ADDRESS(EVENT_ADDRESS)) events (
        .clk(clk), .write(event_write), .write_address(event_write_address), .write_data(event_write_data),
        .read(read_event), .read_address(state == DECODE ? list_r : event_address), .read_data(an_event)
    );
    wire [INDEX-1:0] index = an_event[INDEX-1:0];
    wire [MESSAGE-1:0] message;
    generate
        if (MESSAGE == 1) begin : spikes_only
            assign message = 1'b1;
        end else begin : messages
            assign message = graded_r ? an_event[INDEX +: MESSAGE] : {{MESSAGE-1{1'b0}}, 1'b1};
        end
    endgenerate

    // Rows of synapses.
    reg [ROW_ADDRESS-1:0] row_address;
    reg [ROW-1:0] row_start;
    wire [ROW-1:0] row;
    wire next_row = state == FIRST || (push && more);
    wire [ROW_ADDRESS-1:0] row_of_event = first_row_r + index;
    wire look = SHARED != 0 && state == LOOK;
    wire look_next = SHARED != 0 && shared_r;
    wire [ROW_ADDRESS-1:0] shape;   // where the shared row of the event begins
    wire [GROUP-1:0] base;
    generate
        if (SHARED != 0) begin : shared_rows
            assign {base, shape} = {row[SHAPE +: GROUP], {ROW_ADDRESS{1'b0}} | row[SHAPE-1:0]};
        end else begin : own_rows
            assign {base, shape} = 0;
        end
    endgenerate
    snn_ram #(.WIDTH(ROW), .DEPTH(ROWS), .ADDRESS(ROW_ADDRESS), .IMAGE(ROWS_IMAGE)) rows (
        .clk(clk), .write(1'b0), .write_address({ROW_ADDRESS{1'b0}}), .write_data({ROW{1'b0}}),
        .read(next_row || look || state == START),
        .read_address(state == START ? row_address : look ? shape : row_of_event), .read_data(row)
    );
    reg [MESSAGE-1:0] row_message;
    reg [GROUP-1:0] row_base;

    // The stream of synapses: stage a reads one a clock.
    reg active, valid_c;
    reg [SYNAPSE_ADDRESS-1:0] address, last_address;
    reg [MESSAGE-1:0] stream_message;
    reg [GROUP-1:0] stream_base, stream_base_b;
    assign base_b = SHARED != 0 ? stream_base_b : {GROUP{1'b0}};
    wire last = address == last_address;
    assign read_synapse = active;
    assign synapse_address = address;
    assign push = state == STOP && (!active || last);
    always @(posedge clk) begin
        if (push) begin
            active <= row != row_start;
            address <= row_start[SYNAPSE_ADDRESS-1:0];
            last_address <= row[SYNAPSE_ADDRESS-1:0] - 1'b1;
            stream_message <= row_message;
            stream_base <= row_base;
        end else if (active) begin
            active <= !last;
            address <= address + 1'b1;
        end
        message_b <= stream_message;
        stream_base_b <= stream_base;
        valid_b <= active && !reset;
        valid_c <= valid_b && !reset;
        if (reset)
            active <= 1'b0;
    end

    // The neurons: stage 1 reads a group a clock, stage 3 sends its spikes one a clock.
    reg issuing, valid_1, valid_2, valid_3;
    reg [GROUP-1:0] group_2, group_r;
    reg [STATE_ADDRESS-1:0] state_address_2, state_address_r;
    reg [LANES-1:0] sent;
    wire [LANES-1:0] mask = group_3 == last_group_r ? last_lanes_r : {LANES{1'b1}};
    wire [LANES-1:0] unsent = valid_3 ? spikes_3 & mask & ~sent : {LANES{1'b0}};
    wire [LANES-1:0] others = unsent & (unsent - 1'b1);
    wire [LANES-1:0] one = unsent & ~others;
    assign advance = others == 0;
    assign write_neuron = valid_3 && advance;
    assign trace_valid = write_neuron;
    assign read_neuron = issuing && advance;
    assign spike_valid = unsent != 0;
    assign spike_population = population_r;
    wire finished = state == NEURONS && !issuing && !valid_1 && !valid_2 && !valid_3;

    reg [LANE-1:0] lane;
    integer i;
    always @* begin
        lane = {LANE{1'b0}};
        for (i = 0; i < LANES; i = i + 1)
            if (one[i])
                lane = lane | i[LANE-1:0];
    end
    generate
        if (LANES == 1) begin : one_lane
            assign spike_index = group_3;
        end else begin : many_lanes
            assign spike_index = {group_3, lane};
        end
    endgenerate

    // group_1 and state_address_1 count what is read; group_r and state_address_r are of stage 1's data.
    always @(posedge clk) begin
        if (state == DECODE) begin
            issuing <= operation_r == UPDATE;
            group_1 <= {GROUP{1'b0}};
            state_address_1 <= first_state_r;
        end else if (advance && issuing) begin
            issuing <= group_1 != last_group_r;
            group_1 <= group_1 + 1'b1;
            state_address_1 <= state_address_1 + 1'b1;
        end
        if (advance) begin
            valid_1 <= issuing;
            group_r <= group_1;
            state_address_r <= state_address_1;
            valid_2 <= valid_1;
            group_2 <= group_r;
            state_address_2 <= state_address_r;
            valid_3 <= valid_2;
            group_3 <= group_2;
            state_address_3 <= state_address_2;
            sent <= {LANES{1'b0}};
        end else
            sent <= sent | one;
        if (reset) begin
            issuing <= 1'b0;
            valid_1 <= 1'b0;
            valid_2 <= 1'b0;
            valid_3 <= 1'b0;
            sent <= {LANES{1'b0}};
        end
    end

    // What is written to the lists.
    always @* begin
        event_write = takes_event;
        event_write_address = input_list + 1'b1 + counts[event_population];
        event_write_data = MESSAGE == 1 ? event_index : {event_message, event_index};
        if (state == DECODE) begin
            event_write = operation_r == CLOSE;
            event_write_address = list_r;
            event_write_data = counts[population_r];
        end else if (state == NEURONS) begin
            event_write = spike_valid && sends_r;
            event_write_address = list_r + 1'b1 + fired;
            event_write_data = spike_index;
        end else if (state == WRITE) begin
            event_write = sends_r;
            event_write_address = list_r;
            event_write_data = fired;
        end
    end

    integer k;
    always @(posedge clk) begin
        case (state)
            SWEEP: begin
                sweep_group <= sweep_group + 1'b1;
                if (sweep_group == SUMS - 1)
                    state <= IDLE;
            end
            IDLE: begin
                pc <= {PC{1'b0}};
                if (takes_event)
                    counts[event_population] <= counts[event_population] + 1'b1;
                else if (clear) begin
                    age <= {AGE{1'b0}};
                    for (k = 0; k < INPUTS; k = k + 1)
                        counts[k] <= {INDEX{1'b0}};
                end else if (step)
                    state <= FETCH;
            end
            FETCH: begin
                state <= DECODE;
                pc <= pc + 1'b1;
            end
            DECODE: begin
                event_address <= list_r + 1'b1;
                fired <= {INDEX{1'b0}};
                case (operation_r)
                    CLOSE: begin
                        counts[population_r] <= {INDEX{1'b0}};
                        state <= FETCH;
                    end
                    WALK: state <= delay_r > age ? FETCH : COUNT;
                    UPDATE: state <= NEURONS;
                    default: begin
                        state <= IDLE;
                        if (age != {AGE{1'b1}})
                            age <= age + 1'b1;
                    end
                endcase
            end
            COUNT: begin // how many events there are can be read
                waiting <= index;
                event_address <= event_address + 1'b1;
                state <= index == 0 ? FETCH : FIRST;
            end
            FIRST: begin // the first event can be read
                row_address <= row_of_event + 1'b1;
                row_message <= message;
                row_base <= {GROUP{1'b0}};
                state <= look_next ? LOOK : START;
            end
            LOOK: if (SHARED != 0) begin // which shared row the event has can be read
                row_address <= shape + 1'b1;
                row_base <= base;
                state <= START;
            end
            START: begin // where its row begins can be read
                row_start <= row;
                event_address <= event_address + 1'b1;
                state <= STOP;
            end
            STOP: begin // where its row ends can be read, and so can the next event
                if (push) begin
                    waiting <= waiting - 1'b1;
                    row_address <= row_of_event + 1'b1;
                    row_message <= message;
                    state <= !more ? DRAIN : look_next ? LOOK : START;
                end
            end
            DRAIN:
                if (!active && !valid_b && !valid_c)
                    state <= FETCH;
            NEURONS: begin
                if (spike_valid)
                    fired <= fired + 1'b1;
                if (finished)
                    state <= WRITE;
            end
            WRITE: state <= FETCH;
            default: state <= SWEEP;
        endcase
        if (reset) begin
            state <= SWEEP;
            sweep_group <= {GROUP{1'b0}};
            age <= {AGE{1'b0}};
            for (k = 0; k < INPUTS; k = k + 1)
                counts[k] <= {INDEX{1'b0}};
        end
    end
endmodule
