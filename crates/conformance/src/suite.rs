//! The list of cases, and the macro that makes tests of them.

use crate::fixture::Fixture;
use crate::run::Case;

/// One test for every case of the suite, on fixtures of the named type. Use it in a module of its own.
#[macro_export]
macro_rules! suite {
    ($fixture:ty) => {
        $crate::__each_case! { [$crate::__tests] [$fixture] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __each_case {
    ([$($then:tt)*] [$($with:tt)*]) => {
        $($then)*! { [$($with)*]
            create {
                s_01_create_then_load_is_equal
                s_02_create_of_a_present_id_changes_nothing
                s_03_load_of_an_absent_id_is_none
                s_01_hostile_data_comes_back
                s_01_the_largest_record_comes_back
                s_01_unknown_fields_pass_through
                s_02_parallel_creates_have_one_winner
            }
            update {
                s_04_update_answers_what_is_kept
                s_04_clear_takes_every_name
                s_04_the_security_block_is_replaced_whole
                s_05_conflict_answers_newer
                s_06_update_and_touch_never_create
                s_08_one_winner_of_a_version
                s_08_no_increment_is_lost
                s_09_parallel_edits_of_different_names_survive
                s_04_a_dropped_update_happened_whole_or_not
            }
            touch {
                s_10_touch_moves_activity_alone
                s_10_touch_never_moves_back
                s_10_update_keeps_a_later_touch
                s_11_past_its_deadline_a_session_is_gone
                s_11_before_its_deadline_a_session_lives
            }
            delete {
                s_12_delete_removes_the_record_and_its_index
                s_12_racing_writes_never_resurrect
                s_13_sweep_clears_only_what_expired
                s_13_sweeps_are_bounded_and_reach_everything
                s_13_a_sweep_racing_touches_ends_no_live_session
            }
            random {
                s_08_random_sequences_agree_with_a_model
            }
            limit {
                s_14_one_more_login_ends_the_oldest
                s_14_one_more_login_is_refused
                s_14_a_lowered_limit_ends_several
                s_14_only_live_sessions_of_one_application_count
                s_14_a_login_by_update_counts
                s_14_a_new_proof_of_the_same_subject_is_not_one_more
                s_14_parallel_logins_keep_the_limit
            }
            index {
                i_01_pages_give_each_live_session_once
                i_02_the_index_follows_the_record
                i_02_the_index_agrees_after_a_storm
            }
            revoke {
                s_07_a_login_from_before_a_revocation_loses
                s_07_data_edits_are_not_logins
                i_03_revoke_all_ends_every_session
                i_03_the_excepted_session_is_admitted_anew
                i_03_an_exception_revives_nothing
                i_04_a_login_racing_a_revocation_never_opens
                i_05_every_revocation_raises_the_epoch
                i_06_scopes_are_apart
                i_07_without_an_application_all_are_reached
            }
            replay {
                g_01_a_key_is_new_once
                g_01_one_of_parallel_callers_is_first
                g_02_after_its_time_a_key_is_new_again
            }
            registry {
                r_01_nodes_that_start_together_agree
                r_01_entries_come_back
                r_02_versions_never_repeat
                r_02_no_increment_is_lost
                r_03_a_removed_entry_is_absent
                r_04_an_expired_entry_is_absent
                r_05_list_is_ordered_and_bounded
                r_06_kinds_are_apart
                r_07_a_watcher_wakes_after_a_write
                r_09_what_is_out_of_bounds_is_denied
            }
            crash {
                s_15_what_was_acknowledged_survives
                s_15_a_crash_among_writers_loses_nothing
                s_18_what_was_seen_survives
                i_08_a_not_before_survives
                g_03_a_seen_key_survives
                r_08_the_registry_survives
            }
            fault {
                s_16_damage_is_an_error
                s_17_out_of_reach_is_an_error
            }
            ready {
                s_19_a_ready_store_is_done_at_the_first_poll
                s_20_a_fresh_load_is_never_old
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ([$fixture:ty] $( $module:ident { $($name:ident)* } )*) => { $($(
        #[test]
        fn $name() {
            $crate::check($crate::__case!($fixture, $module, $name));
        }
    )*)* };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __table {
    ([$fixture:ty] $( $module:ident { $($name:ident)* } )*) => {
        vec![ $($( $crate::__case!($fixture, $module, $name) ),*),* ]
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __case {
    ($fixture:ty, $module:ident, $name:ident) => {
        $crate::Case::new(stringify!($name), || {
            $crate::__on_fixture($crate::cases::$module::$name::<$fixture>)
        })
    };
}

pub(crate) fn table<F: Fixture>() -> Vec<Case> {
    crate::__each_case! { [crate::__table] [F] }
}
