//! Every case fails on a store that is broken in the way it is about.

use std::collections::BTreeSet;

use cloakroom_conformance::{Stop, cases};

use crate::toy::{Flaw, ToyFixture, with_flaw};

macro_rules! mutants {
    ($( $test:ident : $flaw:ident => [$($case:ident),+], )+) => {
        $(
            #[test]
            fn $test() {
                $( fails(Flaw::$flaw, stringify!($case)); )+
            }
        )+

        const COVERED: &[(Flaw, &[&str])] = &[$( (Flaw::$flaw, &[$( stringify!($case) ),+]), )+];
    };
}

mutants! {
    invents_records: InventsRecords => [s_03_load_of_an_absent_id_is_none],
    cuts_data: CutsData => [s_01_hostile_data_comes_back, s_01_the_largest_record_comes_back],
    drops_unknown: DropsUnknown => [s_01_unknown_fields_pass_through],
    loses_names: LosesNames => [s_01_create_then_load_is_equal],
    create_overwrites: CreateOverwrites => [s_02_create_of_a_present_id_changes_nothing],
    create_race: CreateRace => [s_02_parallel_creates_have_one_winner],
    answers_old: AnswersOld => [s_04_update_answers_what_is_kept],
    ignores_clear: IgnoresClear => [s_04_clear_takes_every_name],
    keeps_old_secret: KeepsOldSecret => [s_04_the_security_block_is_replaced_whole],
    writes_in_halves: WritesInHalves => [s_04_a_dropped_update_happened_whole_or_not],
    conflict_writes: ConflictWrites => [s_05_conflict_answers_newer],
    accepts_any_security: AcceptsAnySecurity => [s_05_conflict_answers_newer],
    update_creates: UpdateCreates => [s_06_update_and_touch_never_create],
    lost_update: LostUpdate => [s_08_one_winner_of_a_version, s_08_no_increment_is_lost, s_09_parallel_edits_of_different_names_survive],
    security_means_version: SecurityMeansVersion => [s_09_parallel_edits_of_different_names_survive],
    resurrects: Resurrects => [s_12_racing_writes_never_resurrect],
    touch_counts: TouchCounts => [s_10_touch_moves_activity_alone],
    touch_goes_back: TouchGoesBack => [s_10_touch_never_moves_back],
    update_goes_back: UpdateGoesBack => [s_10_update_keeps_a_later_touch],
    forgets_deadlines: ForgetsDeadlines => [s_11_past_its_deadline_a_session_is_gone],
    forgets_hard_cap: ForgetsHardCap => [s_11_past_its_deadline_a_session_is_gone],
    ends_early: EndsEarly => [s_11_before_its_deadline_a_session_lives],
    delete_keeps_index: DeleteKeepsIndex => [s_12_delete_removes_the_record_and_its_index, i_02_the_index_follows_the_record],
    index_drifts: IndexDrifts => [s_08_random_sequences_agree_with_a_model, i_02_the_index_follows_the_record, i_02_the_index_agrees_after_a_storm],
    sweeps_live: SweepsLive => [s_13_sweep_clears_only_what_expired],
    sweep_unbounded: SweepUnbounded => [s_13_sweeps_are_bounded_and_reach_everything],
    sweep_stops: SweepStops => [s_13_sweeps_are_bounded_and_reach_everything],
    sweep_race: SweepRace => [s_13_a_sweep_racing_touches_ends_no_live_session],
    ends_newest: EndsNewest => [s_14_one_more_login_ends_the_oldest],
    limit_race: LimitRace => [s_14_parallel_logins_keep_the_limit],
    limit_skips_update: LimitSkipsUpdate => [s_14_a_login_by_update_counts],
    limit_counts_all: LimitCountsAll => [s_14_only_live_sessions_of_one_application_count],
    never_denies: NeverDenies => [s_14_one_more_login_is_refused],
    ends_one: EndsOne => [s_14_a_lowered_limit_ends_several],
    counts_itself: CountsItself => [s_14_a_new_proof_of_the_same_subject_is_not_one_more],
    crash_loses_updates: CrashLosesUpdates => [s_15_a_crash_among_writers_loses_nothing],
    flush_is_empty: FlushIsEmpty => [s_15_what_was_acknowledged_survives],
    late_commit: LateCommit => [s_15_a_crash_among_writers_loses_nothing],
    seen_before_durable: SeenBeforeDurable => [s_18_what_was_seen_survives],
    crash_forgets_revocations: CrashForgetsRevocations => [i_08_a_not_before_survives],
    crash_forgets_keys: CrashForgetsKeys => [g_03_a_seen_key_survives],
    crash_forgets_entries: CrashForgetsEntries => [r_08_the_registry_survives],
    damage_is_none: DamageIsNone => [s_16_damage_is_an_error],
    cut_off_is_none: CutOffIsNone => [s_17_out_of_reach_is_an_error],
    admits_late: AdmitsLate => [s_07_a_login_from_before_a_revocation_loses],
    refuses_edits: RefusesEdits => [s_07_data_edits_are_not_logins],
    revokes_by_index: RevokesByIndex => [i_04_a_login_racing_a_revocation_never_opens],
    revoked_can_write: RevokedCanWrite => [i_03_revoke_all_ends_every_session],
    forgets_exception: ForgetsException => [i_03_the_excepted_session_is_admitted_anew],
    exception_revives: ExceptionRevives => [i_03_an_exception_revives_nothing],
    epoch_stands: EpochStands => [i_05_every_revocation_raises_the_epoch],
    scope_too_wide: ScopeTooWide => [i_06_scopes_are_apart],
    scope_too_narrow: ScopeTooNarrow => [i_07_without_an_application_all_are_reached],
    pages_overlap: PagesOverlap => [i_01_pages_give_each_live_session_once],
    replay_race: ReplayRace => [g_01_one_of_parallel_callers_is_first],
    cuts_keys: CutsKeys => [g_01_a_key_is_new_once],
    seen_for_ever: SeenForEver => [g_02_after_its_time_a_key_is_new_again],
    put_race: PutRace => [r_01_nodes_that_start_together_agree, r_02_no_increment_is_lost],
    cuts_values: CutsValues => [r_01_entries_come_back],
    versions_repeat: VersionsRepeat => [r_02_versions_never_repeat],
    removal_is_empty: RemovalIsEmpty => [r_03_a_removed_entry_is_absent],
    lists_expired: ListsExpired => [r_04_an_expired_entry_is_absent],
    unordered: Unordered => [r_05_list_is_ordered_and_bounded],
    kinds_mix: KindsMix => [r_06_kinds_are_apart],
    never_wakes: NeverWakes => [r_07_a_watcher_wakes_after_a_write],
    wakes_for_all: WakesForAll => [r_07_a_watcher_wakes_after_a_write],
    says_ready: SaysReady => [s_19_a_ready_store_is_done_at_the_first_poll],
    fresh_is_old: FreshIsOld => [s_20_a_fresh_load_is_never_old],
    takes_every_name: TakesEveryName => [r_09_what_is_out_of_bounds_is_denied],
}

/// The case of that name must fail on a toy with that flaw. Races get several chances: what is proven is that the case
/// can see the flaw.
fn fails(flaw: Flaw, name: &str) {
    let case = cases::<ToyFixture>()
        .into_iter()
        .find(|case| case.name == name)
        .unwrap_or_else(|| panic!("no case is called {name}"));
    let seen = (0..5).any(|_| matches!(with_flaw(flaw, || case.run()), Err(Stop::Failed(_))));
    assert!(seen, "{name} passes on a store that is broken");
}

#[test]
fn every_case_and_every_flaw_is_covered() {
    let named: BTreeSet<&str> = COVERED
        .iter()
        .flat_map(|(_, cases)| cases.iter().copied())
        .collect();
    let all: BTreeSet<&str> = cases::<ToyFixture>().iter().map(|case| case.name).collect();
    assert_eq!(named, all);
    for flaw in Flaw::ALL.iter().skip(1) {
        assert!(
            COVERED.iter().any(|(covered, _)| covered == flaw),
            "no case is shown to see {flaw:?}"
        );
    }
}
