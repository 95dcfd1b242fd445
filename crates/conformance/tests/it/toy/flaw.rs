//! The ways in which the toy store can be broken.

macro_rules! flaws {
    ($( $(#[$doc:meta])* $name:ident, )*) => {
        /// One way to break the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Flaw {
            /// None: the store is correct.
            No,
            $( $(#[$doc])* $name, )*
        }

        impl Flaw {
            /// Every flaw, and none.
            pub(crate) const ALL: &[Self] = &[Self::No, $( Self::$name, )*];
        }
    };
}

flaws! {
    /// `load` answers some record for an id that is absent.
    InventsRecords,
    /// `create` keeps only one name.
    LosesNames,
    /// `create` loses the data beyond half a kilobyte.
    CutsData,
    /// The record is rebuilt from known fields alone.
    DropsUnknown,
    /// `create` overwrites.
    CreateOverwrites,
    /// `create` looks, then writes.
    CreateRace,
    /// `update` answers the record before it.
    AnswersOld,
    /// `clear` is ignored.
    IgnoresClear,
    /// The secret stays when the security block changes.
    KeepsOldSecret,
    /// An update is written in two halves.
    WritesInHalves,
    /// A conflict is told, but the change is written.
    ConflictWrites,
    /// A conflict tells the expectation wrong: by `Expect::Security` everything is accepted.
    AcceptsAnySecurity,
    /// `update` of an absent session makes one.
    UpdateCreates,
    /// `update` reads, then writes without looking again.
    LostUpdate,
    /// `Expect::Security` conflicts with every newer version.
    SecurityMeansVersion,
    /// `update` reads, then writes even where the session was deleted in between.
    Resurrects,
    /// `touch` counts as a version.
    TouchCounts,
    /// `touch` sets what it is given.
    TouchGoesBack,
    /// `update` sets the activity it is given.
    UpdateGoesBack,
    /// Deadlines are left to the sweep.
    ForgetsDeadlines,
    /// Only the idle deadline counts.
    ForgetsHardCap,
    /// A deadline is one minute early.
    EndsEarly,
    /// `delete` leaves the index.
    DeleteKeepsIndex,
    /// The index is written at `create` only.
    IndexDrifts,
    /// `sweep` clears what expires soon.
    SweepsLive,
    /// `sweep` knows no limit.
    SweepUnbounded,
    /// `sweep` says that it is done.
    SweepStops,
    /// `sweep` judges, then removes.
    SweepRace,
    /// The newest session ends at the limit.
    EndsNewest,
    /// The limit counts, then writes.
    LimitRace,
    /// The limit is not looked at by `update`.
    LimitSkipsUpdate,
    /// Every session of the subject counts, in whatever application, alive or not.
    LimitCountsAll,
    /// `Deny` is taken for `EndOldest`.
    NeverDenies,
    /// Only one session ends at the limit.
    EndsOne,
    /// A second proof of the same subject is one more session.
    CountsItself,
    /// Touches are durable with a later write, not with `flush`.
    FlushIsEmpty,
    /// Updates are not durable.
    CrashLosesUpdates,
    /// Updates are durable some time after they are answered.
    LateCommit,
    /// Updates are seen before they are durable.
    SeenBeforeDurable,
    /// Not-befores are not durable.
    CrashForgetsRevocations,
    /// Seen keys are not durable.
    CrashForgetsKeys,
    /// The registry is not durable.
    CrashForgetsEntries,
    /// A damaged record is none.
    DamageIsNone,
    /// A store out of reach is empty.
    CutOffIsNone,
    /// It makes its caller wait, which it declares that it does not.
    SaysReady,
    /// A fresh load shows the version before.
    FreshIsOld,
    /// Late logins are accepted.
    AdmitsLate,
    /// A revocation refuses data edits too.
    RefusesEdits,
    /// Revocation deletes what the index has and keeps no not-before.
    RevokesByIndex,
    /// Revoked sessions can still be changed.
    RevokedCanWrite,
    /// The excepted session is not admitted anew.
    ForgetsException,
    /// The excepted session is revived.
    ExceptionRevives,
    /// The epoch stands still.
    EpochStands,
    /// A revocation in one application reaches all.
    ScopeTooWide,
    /// A revocation without an application reaches only sessions without one.
    ScopeTooNarrow,
    /// Pages overlap.
    PagesOverlap,
    /// `first_seen` looks, then writes.
    ReplayRace,
    /// Long keys are cut.
    CutsKeys,
    /// A key is seen for ever.
    SeenForEver,
    /// `put` looks, then writes.
    PutRace,
    /// Values over 4 KiB are cut.
    CutsValues,
    /// Versions start again after removal.
    VersionsRepeat,
    /// A removed entry has an empty value.
    RemovalIsEmpty,
    /// Expired entries are listed.
    ListsExpired,
    /// Entries come in the order they were written.
    Unordered,
    /// All kinds share one list.
    KindsMix,
    /// A watcher never wakes.
    NeverWakes,
    /// A watcher wakes for every kind.
    WakesForAll,
    /// Names of every length are taken.
    TakesEveryName,
}
