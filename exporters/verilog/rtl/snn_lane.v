// One lane: the synapses into every LANES-th neuron, their sums, and those neurons' states.
//
// Synapses arrive one a clock in three stages: a, the synapse is read; b, the sum of its target is read, while its weight meets
// the message; c, the sum is written. A sum that is needed in the next clock is taken from stage c.
// Neurons are updated one a clock in three stages: 1, states and sum are read; 2, they stand in registers before the neuron's
// logic (snn_neurons); 3, its results stand in registers and are written.
module snn_lane #(
    parameter SYNAPSE = 8,          // bits of a synapse: {target, weight}
    parameter WEIGHT = 4,           // bits of a weight, signed
    parameter SYNAPSES = 2,         // words of the synapses' memory
    parameter SYNAPSE_ADDRESS = 1,
    parameter MESSAGE = 1,          // bits of a message; 1: every message is a spike
    parameter FIELDS = 1,           // sums of a neuron that are kept apart
    parameter FIELD = 8,            // bits of each, signed
    parameter SUMS = 2,             // words of the sums' memory: neurons of the largest population in this lane
    parameter GROUP = 1,            // bits of their address
    parameter STATES = 2,           // words of the states' memory: all neurons in this lane
    parameter STATE_ADDRESS = 1,
    parameter STATE = 8,            // bits of a neuron's stored states
    parameter OWN = 1,              // bits of a neuron's own parameters
    parameter CONSTANTS = 1,        // bits of what all neurons of a population share
    parameter SELECT = 1,
    parameter TRACE = 8,            // bits of all states of a neuron
    parameter HAS_OWN = 0,
    parameter LOADED = 0,
    parameter SMALL = 0,
    parameter SYNAPSES_IMAGE = "",
    parameter OWN_IMAGE = ""
) (
    input wire clk,
    input wire sweep,               // write 0 to the sum of sweep_group
    input wire [GROUP-1:0] sweep_group,
    input wire load,                // write a synapse, with LOADED
    input wire [SYNAPSE_ADDRESS-1:0] load_address,
    input wire [SYNAPSE-1:0] load_data,
    input wire read_synapse,        // stage a
    input wire [SYNAPSE_ADDRESS-1:0] synapse_address,
    input wire valid_b,
    input wire [MESSAGE-1:0] message_b,
    input wire [GROUP-1:0] base_b,  // is added to the target
    input wire [FIELDS-1:0] field_b, // one-hot: to which sum the synapse adds
    input wire read_neuron,         // stage 1
    input wire [GROUP-1:0] group_1,
    input wire [STATE_ADDRESS-1:0] state_address_1,
    input wire advance,             // the stages of the neurons move on
    input wire fresh,               // the first step of a sample: states are 0, or what the model says
    input wire [SELECT-1:0] select,
    input wire [CONSTANTS-1:0] constants,
    input wire write_neuron,        // stage 3
    input wire [GROUP-1:0] group_3,
    input wire [STATE_ADDRESS-1:0] state_address_3,
    output reg spike_3,
    output reg [TRACE-1:0] trace_3
);
    wire [SYNAPSE-1:0] synapse;
    snn_synapses #(
        .WIDTH(SYNAPSE), .DEPTH(SYNAPSES), .ADDRESS(SYNAPSE_ADDRESS), .IMAGE(SYNAPSES_IMAGE), .LOADED(LOADED)
    ) synapses (
        .clk(clk), .write(load), .write_address(load_address), .write_data(load_data),
        .read(read_synapse), .read_address(synapse_address), .read_data(synapse)
    );

    // Stages b and c of a synapse.
    wire signed [WEIGHT-1:0] weight = synapse[WEIGHT-1:0];
    wire [GROUP-1:0] target_b = synapse[WEIGHT +: GROUP] + base_b;
    wire signed [MESSAGE:0] message = {1'b0, message_b};
    localparam PRODUCT = MESSAGE == 1 ? WEIGHT : WEIGHT + MESSAGE;
    reg signed [PRODUCT-1:0] product;
    reg [GROUP-1:0] target_c;
    reg [FIELDS-1:0] field_c;
    reg write_sum, repeated_c;
    reg [FIELDS*FIELD-1:0] last_sums;
    wire [FIELDS*FIELD-1:0] read_sums;
    wire [FIELDS*FIELD-1:0] old_sums = repeated_c ? last_sums : read_sums;
    wire [FIELDS*FIELD-1:0] new_sums;

    always @(posedge clk) begin
        product <= MESSAGE == 1 ? weight : weight * message;
        target_c <= target_b;
        field_c <= field_b;
        write_sum <= valid_b && weight != 0; // a weight of 0 fills up a row of synapses
        repeated_c <= write_sum && target_b == target_c;
        last_sums <= new_sums;
    end

    genvar f;
    generate
        for (f = 0; f < FIELDS; f = f + 1) begin : field
            wire signed [FIELD-1:0] old_sum = old_sums[f*FIELD +: FIELD];
            wire signed [FIELD-1:0] added = product;
            assign new_sums[f*FIELD +: FIELD] = field_c[f] ? old_sum + added : old_sum;
        end
    endgenerate

    snn_ram #(.WIDTH(FIELDS*FIELD), .DEPTH(SUMS), .ADDRESS(GROUP), .SMALL(SMALL)) sums (
        .clk(clk),
        .write(write_sum || write_neuron || sweep),
        .write_address(sweep ? sweep_group : write_neuron ? group_3 : target_c),
        .write_data(sweep || write_neuron ? {FIELDS*FIELD{1'b0}} : new_sums),
        .read(valid_b || read_neuron),
        .read_address(valid_b ? target_b : group_1),
        .read_data(read_sums)
    );

    // Stages 1 to 3 of a neuron.
    wire [STATE-1:0] read_state, new_state;
    wire [OWN-1:0] read_own;
    reg [STATE-1:0] old_state_2, new_state_3;
    reg [OWN-1:0] own_2;
    reg [FIELDS*FIELD-1:0] sums_2;
    wire [TRACE-1:0] trace;
    wire spike;

    snn_ram #(.WIDTH(STATE), .DEPTH(STATES), .ADDRESS(STATE_ADDRESS), .SMALL(SMALL)) states (
        .clk(clk), .write(write_neuron), .write_address(state_address_3), .write_data(new_state_3),
        .read(read_neuron), .read_address(state_address_1), .read_data(read_state)
    );
    generate
        if (HAS_OWN != 0) begin : own
            snn_ram #(.WIDTH(OWN), .DEPTH(STATES), .ADDRESS(STATE_ADDRESS), .IMAGE(OWN_IMAGE)) parameters (
                .clk(clk), .write(1'b0), .write_address({STATE_ADDRESS{1'b0}}), .write_data({OWN{1'b0}}),
                .read(read_neuron), .read_address(state_address_1), .read_data(read_own)
            );
        end else begin : shared
            assign read_own = {OWN{1'b0}};
        end
    endgenerate
    snn_neurons neurons (
        .select(select), .constants(constants), .own(own_2), .sums(sums_2), .old_state(old_state_2), .fresh(fresh),
        .new_state(new_state), .trace(trace), .spike(spike)
    );
    always @(posedge clk)
        if (advance) begin
            sums_2 <= read_sums;
            old_state_2 <= fresh ? {STATE{1'b0}} : read_state;
            own_2 <= read_own;
            new_state_3 <= new_state;
            trace_3 <= trace;
            spike_3 <= spike;
        end
endmodule
