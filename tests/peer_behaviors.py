"""What the tests of other sparse-training libraries show, and where ours do.

A row for each behavior that a library of this kind should show too, by the
section of the survey in which it stands; "3.10-n" are those that no other
library tests. `peer_behaviors_test.py` checks that the tests exist.
"""

from typing import NamedTuple


class Behavior(NamedTuple):
    """One row.

    Attributes:
        section: of the survey.
        text: the behavior.
        tests: node ids of the tests that show it.
        why_not: what of it does not fit this library, and why.
    """

    section: str
    text: str
    tests: tuple[str, ...] = ()
    why_not: str = ""


def of(file: str, *names: str) -> tuple[str, ...]:
    """Node ids of tests of one file."""
    return tuple(f"{file}::{name}" for name in names)


MASKS = "tests/core/peer_gaps_test.py"
DIAGNOSED = "tests/core/diagnostics_test.py"
DISTRIBUTIONS = "tests/core/distributions_test.py"
DROP_AND_GROW = "tests/core/drop_and_grow_test.py"
RANDOM_MASKS = "tests/core/random_masks_test.py"
SCHEDULES = "tests/core/schedules_test.py"
SELECTION = "tests/core/selection_test.py"
STRUCTURES = "tests/core/structures/structure_test.py"
STRUCTURE_CONFIGURATIONS = "tests/core/structures/configuration_test.py"
ROWWISE = "tests/core/structures/rowwise_test.py"
TILED = "tests/core/structures/tiled_test.py"
ARGUMENTS = "tests/algorithms/arguments_test.py"
RIGL = "tests/algorithms/rigl_test.py"
STATIC = "tests/algorithms/static_test.py"
TRAINING = "tests/updating/peer_gaps_test.py"
CALLBACKS = "tests/updating/callback_test.py"
DIAGNOSTICS = "tests/diagnostics/diagnose_test.py"
LAYOUTS = "tests/masking/layer_rules_test.py"
METHODS = "tests/updating/methods_test.py"
MODELS = "tests/masking/models_test.py"
MODES = "tests/updating/modes_test.py"
OPTIMIZERS = "tests/updating/optimizers_test.py"
SAVING = "tests/masking/saving_test.py"
SPARSIFY = "tests/masking/sparsify_test.py"
TFMOT = "tests/tfmot/tfmot_test.py"
ORACLES = "tests/methods/methods_test.py"
PROFILE = "tests/accounting/profile_test.py"

LOTTERY = "lottery tickets are not built yet"
SEVERAL_WORKERS = "several workers are another issue"

REFERENCE_TF1 = (
    Behavior(
        "3.1",
        "SET: masks rest between updates and after the last one",
        of(METHODS, "test_each_step")
        + of(SCHEDULES, "test_steps_of_updates")
        + of(ORACLES, "test_method_agrees_with_its_oracle"),
    ),
    Behavior(
        "3.1",
        "SET: an update changes masks and not the number of connections",
        of(METHODS, "test_each_step")
        + of(MASKS, "test_updates_keep_the_number_of_connections"),
    ),
    Behavior(
        "3.1",
        "SET: with a drop fraction of 0 masks never change",
        of(TRAINING, "test_nothing_to_drop_nothing_moves")
        + of(RIGL, "test_drop_fraction_zero_moves_nothing"),
    ),
    Behavior(
        "3.1",
        "SET: new connections are exactly 0 after the update",
        of(OPTIMIZERS, "test_new_connections_start_at_zero_with_fresh_slots")
        + of(METHODS, "test_each_step"),
    ),
    Behavior(
        "3.1",
        "SET: new values have the weight's shape, ranks 1 to 3",
        of(MASKS, "test_new_values_are_like_the_weight"),
    ),
    Behavior(
        "3.1",
        "SET: new values have the weight's dtype",
        of(MASKS, "test_new_values_are_like_the_weight"),
    ),
    Behavior(
        "3.1",
        "SET: unknown values of grow_init are refused",
        of(ARGUMENTS, "test_refused"),
    ),
    Behavior(
        "3.1",
        "static: masks never change",
        of(METHODS, "test_each_step") + of(STATIC, "test_never_updates"),
    ),
    Behavior(
        "3.1",
        "SNFS: exact moving average of the dense gradient, from 0",
        of(TRAINING, "test_momentum_of_the_dense_gradient"),
    ),
    Behavior(
        "3.1",
        "RigL: grows by the analytic gradient of the batch of the update",
        of(CALLBACKS, "test_growth_follows_the_dense_gradient")
        + of(ORACLES, "test_method_agrees_with_its_oracle"),
    ),
    Behavior(
        "3.1",
        "RigL: three patterns of steps; the first update at step 0",
        of(RIGL, "test_steps_of_the_reference")
        + of(CALLBACKS, "test_presets_in_training"),
    ),
    Behavior(
        "3.1",
        "SNIP: dense at first, then exact zeros of least sensitivity",
        of(TRAINING, "test_snip_prunes_the_least_sensitive_once"),
    ),
    Behavior(
        "3.1",
        "SNIP: step 0 prunes, no later step does",
        of(TRAINING, "test_snip_prunes_the_least_sensitive_once")
        + of(METHODS, "test_each_step", "test_resumed_is_uninterrupted"),
    ),
    Behavior(
        "3.1",
        "DNW: exact zeros in each step, largest kept, dense gradient",
        of(TRAINING, "test_dnw_keeps_the_largest_of_all_that_it_trains"),
    ),
    Behavior(
        "3.2",
        "two random masks have as many connections",
        of(
            RANDOM_MASKS,
            "test_counts_are_exact",
            "test_every_position_is_as_likely_as_another",
        ),
    ),
    Behavior(
        "3.2",
        "exact counts for each shape and sparsity",
        of(RANDOM_MASKS, "test_allotted_counts")
        + of(DISTRIBUTIONS, "test_one_weight"),
    ),
    Behavior(
        "3.2",
        "masks have the dtype that was asked for",
        of(RANDOM_MASKS, "test_allotted_counts"),
        "masks are bool, nothing else can be asked for",
    ),
    Behavior(
        "3.2",
        "uniform distribution with sparsities of the user's own",
        of(DISTRIBUTIONS, "test_mapping_fixes_the_weights_that_it_names")
        + of(SPARSIFY, "test_mapping_by_layer_and_by_path"),
    ),
    Behavior(
        "3.2",
        "ER distribution with sparsities of the user's own",
        of(MASKS, "test_own_sparsities_beside_erdos_renyi"),
    ),
    Behavior(
        "3.2",
        "ER keeps the number of zeros; densities follow the scores",
        of(
            DISTRIBUTIONS,
            "test_global_budget",
            "test_reference_budget",
            "test_densities_are_proportional",
        ),
    ),
    Behavior(
        "3.3",
        "units without inputs take their outputs with them",
        of(DIAGNOSED, "test_dead_inputs_and_units")
        + of(DIAGNOSTICS, "test_dead_units_are_where_the_layer_has_its_units"),
        "dead units are counted, not removed: export is another issue",
    ),
)

JAXPRUNER = (
    Behavior(
        "3.4",
        "static: number of connections",
        of(METHODS, "test_each_step")
        + of(SPARSIFY, "test_counts_are_the_allotted_ones"),
    ),
    Behavior(
        "3.4",
        "golden table of RigL's masks",
        of(DROP_AND_GROW, "test_golden_masks"),
    ),
    Behavior(
        "3.4",
        "RigL and SET keep counts for many shapes, one element included",
        of(MASKS, "test_updates_keep_the_number_of_connections")
        + of(DROP_AND_GROW, "test_equals_the_oracle_on_few_elements"),
    ),
    Behavior(
        "3.4",
        "slots are 0 at new connections and nowhere else",
        of(TRAINING, "test_slots_are_zero_at_new_connections_only"),
    ),
    Behavior(
        "3.4",
        "the user's optimizer does the steps",
        of(CALLBACKS, "test_custom_optimizer_that_moves_zeros")
        + of(ORACLES, "test_method_agrees_with_its_oracle"),
    ),
    Behavior(
        "3.4",
        "golden unstructured masks, ties included, in every mode",
        of(SELECTION, "test_eight_equal_values", "test_some_equal_values"),
    ),
    Behavior(
        "3.4",
        "golden block masks, two poolings, ragged edges",
        of(
            TILED,
            "test_golden_blocks",
            "test_golden_block_update",
            "test_blocks_at_the_end_hold_what_is_left",
        )
        + of(STRUCTURES, "test_eager_graph_and_xla_agree"),
        "every kernel is seen as [positions, inputs, units], no other rank",
    ),
    Behavior(
        "3.4",
        "golden N:M masks, their errors and sparsity 0",
        of(
            ROWWISE,
            "test_golden_n_by_m",
            "test_golden_n_by_m_update",
            "test_groups_run_along_the_inputs",
            "test_arguments",
            "test_inputs_must_be_a_multiple_of_m",
        )
        + of(STRUCTURES, "test_sparsity_zero_is_all_ones"),
        "groups run along the inputs, no other axis is offered",
    ),
    Behavior(
        "3.4",
        "golden channel masks along either axis",
        of(TILED, "test_golden_channels"),
    ),
    Behavior(
        "3.4",
        "uniform over a network; vectors stay dense",
        of(
            SPARSIFY,
            "test_biases_normalization_depthwise_and_embeddings_stay_dense",
        )
        + of(DISTRIBUTIONS, "test_uniform_is_uniform"),
    ),
    Behavior(
        "3.4",
        "golden numbers of ERK, its power and ER",
        of(DISTRIBUTIONS, "test_published_densities", "test_scores"),
    ),
    Behavior(
        "3.4",
        "distributions refuse bad sparsities, nothing and no network",
        of(
            DISTRIBUTIONS,
            "test_sparsity_is_a_fraction",
            "test_bad_distribution",
            "test_nothing_to_allocate_to",
        )
        + of(SPARSIFY, "test_layer_instead_of_a_model"),
    ),
    Behavior(
        "3.4",
        "schedules: never, once, periodic, polynomial, compiled, bad ends",
        of(STATIC, "test_never_updates")
        + of(METHODS, "test_each_step")
        + of(
            SCHEDULES,
            "test_steps_of_updates",
            "test_tensors_agree_with_integers",
            "test_bad_steps",
            "test_steps_are_integers",
        )
        + of(TRAINING, "test_polynomial_has_the_published_values"),
    ),
    Behavior(
        "3.4",
        "wrong distribution, algorithm and structure are refused",
        of(SPARSIFY, "test_bad_arguments")
        + of(CALLBACKS, "test_algorithm_must_be_one")
        + of(STRUCTURE_CONFIGURATIONS, "test_nothing_else_is_a_structure"),
    ),
    Behavior(
        "3.4",
        "summaries of sparsity and of how masks overlap",
        of(CALLBACKS, "test_logs_tell_sparsity_and_churn")
        + of(DIAGNOSTICS, "test_all_numbers_follow_from_the_masks")
        + of(PROFILE, "test_all_weights_are_counted_but_masks"),
    ),
)

TFMOT_MASKS = (
    Behavior(
        "3.5",
        "a sparsity of 0.9999 leaves a connection",
        of(TRAINING, "test_extreme_sparsity_keeps_a_connection")
        + of(DISTRIBUTIONS, "test_tiny_weights_keep_one_connection"),
    ),
    Behavior(
        "3.5",
        "one mask goes from 100 to 50 connections",
        of(
            TRAINING,
            "test_pruning_follows_a_sparsity_that_depends_on_the_step",
        ),
    ),
    Behavior(
        "3.5",
        "1 to 10 at a sparsity a float beside 0.2: two zeros",
        of(TRAINING, "test_sparsity_next_to_a_float_of_32_bits"),
    ),
    Behavior(
        "3.5",
        "golden blocks of 2 by 2",
        of(TILED, "test_golden_blocks")
        + of(TFMOT, "test_blocks_become_blocks"),
    ),
    Behavior(
        "3.5",
        "updates follow a sparsity that depends on the step",
        of(
            TRAINING,
            "test_pruning_follows_a_sparsity_that_depends_on_the_step",
        )
        + of(TFMOT, "test_as_many_connections_as_tfmot_in_every_batch"),
    ),
    Behavior(
        "3.5",
        "schedules refuse steps, intervals and sparsities out of range",
        of(SCHEDULES, "test_bad_steps")
        + of(ARGUMENTS, "test_refused")
        + of(TFMOT, "test_errors_of_schedules"),
    ),
    Behavior(
        "3.5",
        "updates fall in the range, an interval apart; or without end",
        of(SCHEDULES, "test_steps_of_updates")
        + of(ARGUMENTS, "test_jaxpruner_updates_on_multiples")
        + of(TFMOT, "test_from_configuration"),
        "-1 for no end is TFMOT's; otherwise an end is stated",
    ),
    Behavior(
        "3.5",
        "schedules and methods are made again from their configuration",
        of(METHODS, "test_configuration_round_trip")
        + of(TFMOT, "test_from_configuration"),
    ),
)

TFMOT_MODELS = (
    Behavior(
        "3.5",
        "kernels, custom layers and layers without kernels",
        of(
            SPARSIFY,
            "test_custom_layer_by_the_protocol_of_tfmot",
            "test_biases_normalization_depthwise_and_embeddings_stay_dense",
            "test_model_with_nothing_to_sparsify",
        ),
    ),
    Behavior(
        "3.5",
        "a model with one unsupported layer is refused",
        of(SPARSIFY, "test_model_with_nothing_to_sparsify"),
        "layers without known kernels stay dense by design",
    ),
    Behavior(
        "3.5",
        "what is masked is not masked again",
        of(
            SPARSIFY,
            "test_sparse_model_is_not_sparsified_again",
            "test_layer_in_two_models_is_masked_in_both",
        ),
    ),
    Behavior(
        "3.5",
        "predict and evaluate need no callback",
        of(TRAINING, "test_inference_needs_no_callback_and_advances_nothing"),
    ),
    Behavior(
        "3.5",
        "Sequential with and without an input",
        of(
            SPARSIFY,
            "test_unbuilt_model_computes_with_masked_weights_from_the_start",
            "test_unbuilt_model_is_masked_in_fit",
        )
        + of(MODELS, "test_training_keeps_every_connection_count"),
    ),
    Behavior(
        "3.5",
        "what is built stays built, through JSON as well",
        of(TRAINING, "test_masks_survive_json")
        + of(SPARSIFY, "test_model_is_changed_in_place"),
    ),
    Behavior(
        "3.5",
        "functional model of several inputs",
        of(TRAINING, "test_several_inputs"),
    ),
    Behavior(
        "3.5",
        "a layer that is used twice is masked once",
        of(SPARSIFY, "test_shared_layer_has_one_mask"),
    ),
    Behavior(
        "3.5",
        "models within models",
        of(MODELS, "test_training_keeps_every_connection_count"),
    ),
    Behavior(
        "3.5",
        "strip gives the configuration back",
        of(TRAINING, "test_strip_gives_the_configuration_back")
        + of(MODELS, "test_strip_leaves_a_plain_model_of_the_same_outputs"),
    ),
    Behavior(
        "3.5",
        "weights, checkpoints and SavedModel load without a scope",
        of(
            MODELS,
            "test_weights_file",
            "test_tensorflow_checkpoint",
            "test_saved_model",
        )
        + of(SAVING, "test_load_model_needs_nothing_but_the_import"),
    ),
    Behavior(
        "3.5",
        "one mask each for a dense layer, an embedding, a convolution",
        of(TRAINING, "test_one_mask_for_each_kernel"),
    ),
    Behavior(
        "3.5",
        "four masks of a mixed model, through its configuration as well",
        of(TRAINING, "test_one_mask_for_each_kernel", "test_masks_survive_json")
        + of(MODELS, "test_keras_file"),
    ),
    Behavior(
        "3.5",
        "all masked layers are found, recurrent ones included",
        of(MODELS, "test_training_keeps_every_connection_count")
        + of(LAYOUTS, "test_every_known_class_is_here"),
    ),
)

TFMOT_TRAINING = (
    Behavior(
        "3.5",
        "steps are counted by batches, in fit and in a loop",
        of(TRAINING, "test_steps_are_batches"),
    ),
    Behavior(
        "3.5",
        "logs are written",
        of(
            DIAGNOSTICS,
            "test_files_hold_what_diagnose_tells",
            "test_tensorboard_shows_scalars_and_images",
        ),
    ),
    Behavior(
        "3.5",
        "inference advances nothing",
        of(TRAINING, "test_inference_needs_no_callback_and_advances_nothing"),
    ),
    Behavior(
        "3.5",
        "a forgotten callback is told",
        of(
            MODES,
            "test_without_the_callback_training_is_static_sparse",
            "test_replicas_without_the_callback_are_static_sparse",
        ),
        "no error by design: masks stay and hold",
    ),
    Behavior(
        "3.5",
        "one device and replicas prune from 0 to 0.5",
        of(TRAINING, "test_one_device_prunes_and_saves")
        + of(METHODS, "test_replicas"),
    ),
    Behavior(
        "3.5",
        "workers prune from 0 to 0.5",
        why_not=SEVERAL_WORKERS,
    ),
    Behavior(
        "3.5",
        "files keep the masks of a strategy",
        of(
            TRAINING,
            "test_one_device_prunes_and_saves",
            "test_files_of_replicas_keep_the_masks",
        ),
        "HDF5 in Keras 2 only: Keras 3 has replaced it",
    ),
    Behavior(
        "3.5",
        "sparsity 0 trains as a dense model does",
        of(MODES, "test_at_sparsity_0_training_is_dense_training"),
    ),
    Behavior(
        "3.5",
        "99 % keeps one connection",
        of(TRAINING, "test_extreme_sparsity_keeps_a_connection"),
    ),
    Behavior(
        "3.5",
        "pretrained: same variables, same outputs before training",
        of(TRAINING, "test_pretrained_model_with_a_dense_start")
        + of(SPARSIFY, "test_compiled_state_stays"),
        "the optimizer stays, it is not removed",
    ),
    Behavior(
        "3.5",
        "loaded, then pruned: same outputs",
        of(TRAINING, "test_loaded_then_sparsified"),
    ),
    Behavior(
        "3.5",
        "each kind of layer is sparse and stripped with equal outputs",
        of(
            MODELS,
            "test_training_keeps_every_connection_count",
            "test_strip_leaves_a_plain_model_of_the_same_outputs",
        ),
        "LocallyConnected layers, which Keras 3 has not, stay dense",
    ),
    Behavior(
        "3.5",
        "stopped and started again, schedule and sparsity go on",
        of(METHODS, "test_resumed_is_uninterrupted")
        + of(CALLBACKS, "test_resumed_fit_keeps_the_schedule"),
    ),
    Behavior(
        "3.5",
        "training past the end keeps the sparsity",
        of(
            TRAINING,
            "test_pruning_follows_a_sparsity_that_depends_on_the_step",
        )
        + of(METHODS, "test_each_step"),
    ),
    Behavior(
        "3.5",
        "a custom loop reaches the sparsity",
        of(METHODS, "test_each_step")
        + of(MODES, "test_every_mode_gives_the_same_masks"),
    ),
    Behavior(
        "3.5",
        "checkpoints within an epoch are sparse, which TFMOT's are not",
        of(TRAINING, "test_files_written_within_an_epoch_are_sparse"),
    ),
)

TFMOT_BRANCH = (
    Behavior(
        "3.6",
        "lottery: masks are updated by magnitude",
        of(ORACLES, "test_method_agrees_with_its_oracle"),
        LOTTERY + "; one-shot pruning has the same masks",
    ),
    Behavior(
        "3.6",
        "lottery: block masks",
        of(TILED, "test_golden_blocks"),
        LOTTERY,
    ),
    Behavior(
        "3.6",
        "lottery: saved are the weights before step k",
        why_not=LOTTERY,
    ),
    Behavior(
        "3.6",
        "lottery: after pruning weights are the saved ones, masked",
        why_not=LOTTERY,
    ),
    Behavior(
        "3.6",
        "lottery: two rewinds use the same weights, the mask of the moment",
        why_not=LOTTERY,
    ),
)

TORCH = (
    Behavior(
        "3.7",
        "masked weights are 0 from the start",
        of(SPARSIFY, "test_model_is_changed_in_place"),
    ),
    Behavior(
        "3.7",
        "saved and loaded weights are equal, training keeps the zeros",
        of(MODELS, "test_keras_file", "test_tensorflow_checkpoint")
        + of(METHODS, "test_resumed_is_uninterrupted"),
    ),
    Behavior(
        "3.7",
        "masked weights stay 0 in training",
        of(METHODS, "test_each_step")
        + of(OPTIMIZERS, "test_masked_weights_and_slots_stay_zero"),
    ),
    Behavior(
        "3.7",
        "masked momentum stays 0 in training",
        of(METHODS, "test_each_step")
        + of(OPTIMIZERS, "test_masked_weights_and_slots_stay_zero"),
    ),
    Behavior(
        "3.7",
        "masked gradients stay 0 in training",
        of(OPTIMIZERS, "test_masked_weights_and_slots_stay_zero"),
        "the user's gradients are dense; slots show what the optimizer gets",
    ),
    Behavior(
        "3.8",
        "units have equal fan-in at first and after training",
        of(ORACLES, "test_method_agrees_with_its_oracle")
        + of(
            STRUCTURES,
            "test_random_masks",
            "test_drop_and_grow_keeps_the_counts",
        ),
    ),
    Behavior(
        "3.9",
        "exact counts for many shapes and sparsities",
        of(DISTRIBUTIONS, "test_one_weight", "test_global_budget")
        + of(RANDOM_MASKS, "test_counts_are_exact"),
    ),
    Behavior(
        "3.9",
        "the highest scores are chosen",
        of(SELECTION, "test_equals_sorting")
        + of(DROP_AND_GROW, "test_what_goes_is_small_and_what_comes_is_large"),
    ),
    Behavior(
        "3.9",
        "schedule values, none where no update is due",
        of(
            SCHEDULES,
            "test_drop_fractions",
            "test_tensors_agree_with_integers",
        ),
    ),
    Behavior(
        "3.9",
        "the dense gradient is that of an unmasked clone",
        of(TRAINING, "test_momentum_of_the_dense_gradient"),
    ),
    Behavior(
        "3.9",
        "moments of SGD and AdamW are 0 where masked",
        of(OPTIMIZERS, "test_masked_weights_and_slots_stay_zero"),
    ),
)

MISSING_EVERYWHERE = (
    Behavior(
        "3.10-1",
        "100 updates of 20 million elements keep the exact count",
        of(
            DROP_AND_GROW,
            "test_count_of_connections_over_100_updates",
            "test_count_of_connections_beyond_float32",
        ),
    ),
    Behavior(
        "3.10-2",
        "nothing inactive is kept where many active weights are 0",
        of(
            DROP_AND_GROW,
            "test_inactive_is_never_kept_when_active_weights_are_zero",
        ),
    ),
    Behavior(
        "3.10-3",
        "same masks on all replicas and in all processes, any hash seed",
        of(METHODS, "test_replicas")
        + of(SPARSIFY, "test_masks_are_the_same_in_another_process")
        + of(TRAINING, "test_updates_do_not_depend_on_the_hash_of_strings"),
    ),
    Behavior(
        "3.10-4",
        "resumed training equals uninterrupted training, bit by bit",
        of(METHODS, "test_resumed_is_uninterrupted"),
    ),
    Behavior(
        "3.10-5",
        "16-bit training with a scaled loss",
        of(MODES, "test_mixed_precision"),
    ),
    Behavior(
        "3.10-6",
        "gradient accumulation",
        of(MODES, "test_gradient_accumulation_updates_on_real_updates"),
    ),
    Behavior(
        "3.10-7",
        "XLA",
        of(MODES, "test_every_mode_gives_the_same_masks")
        + of(
            METHODS,
            "test_other_keras_under_xla_and_several_steps_per_execution",
        ),
    ),
    Behavior(
        "3.10-8",
        "several steps per execution",
        of(MODES, "test_every_mode_gives_the_same_masks")
        + of(
            METHODS,
            "test_other_keras_under_xla_and_several_steps_per_execution",
        ),
    ),
    Behavior(
        "3.10-9",
        "shared layers",
        of(SPARSIFY, "test_shared_layer_has_one_mask")
        + of(MODELS, "test_training_keeps_every_connection_count"),
    ),
    Behavior(
        "3.10-10",
        "subclassed models",
        of(MODELS, "test_training_keeps_every_connection_count"),
    ),
    Behavior(
        "3.10-11",
        "new connections and their slots are 0 for every optimizer",
        of(
            OPTIMIZERS,
            "test_new_connections_start_at_zero_with_fresh_slots",
            "test_table_covers_every_optimizer",
        ),
    ),
    Behavior(
        "3.10-12",
        "drop fractions at begin, middle and end of a late schedule",
        of(SCHEDULES, "test_drop_fractions")
        + of(RIGL, "test_counts_follow_the_decay"),
    ),
    Behavior(
        "3.10-13",
        "global sparsity is exact where the user fixed some layers",
        of(DISTRIBUTIONS, "test_global_budget")
        + of(
            SPARSIFY,
            "test_dense_by_layer_name_path_and_predicate",
            "test_mapping_by_layer_and_by_path",
        ),
    ),
    Behavior(
        "3.10-14",
        "the export of the last epoch is exactly sparse",
        of(TRAINING, "test_export_of_the_last_epoch_is_exactly_sparse"),
    ),
    Behavior(
        "3.10-15",
        "ERK: all dense, all fixed, sparsity near 1, one layer",
        of(
            DISTRIBUTIONS,
            "test_all_dense",
            "test_all_fixed_by_a_mapping",
            "test_highest_sparsity_leaves_one_connection_each",
            "test_one_weight",
        ),
    ),
)

BEHAVIORS = (
    *REFERENCE_TF1,
    *JAXPRUNER,
    *TFMOT_MASKS,
    *TFMOT_MODELS,
    *TFMOT_TRAINING,
    *TFMOT_BRANCH,
    *TORCH,
    *MISSING_EVERYWHERE,
)
