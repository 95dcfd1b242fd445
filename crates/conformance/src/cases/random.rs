//! Random sequences of operations, compared with a small model; a failure is told in its shortest form.

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::fixture::Fixture;
use crate::kit;
use crate::sequence::{sequence, step};
use crate::verdict::{Checked, Stop};

/// All sentences together: whatever operations come one after another, the store answers as the model does, and shows
/// and lists what the model has (S-01 to S-14, I-01 to I-07). The shortest failing sequence is told.
pub async fn s_08_random_sequences_agree_with_a_model<F: Fixture>(fixture: F) -> Checked {
    kit::linearizable(&fixture)?;
    drop(fixture);
    let config = Config {
        cases: u32::try_from(kit::rounds(16)).unwrap_or(16),
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        let steps = proptest::collection::vec(step(), 1..50);
        TestRunner::new(config)
            .run(&steps, |steps| {
                match runtime.block_on(sequence::<F>(steps)) {
                    Ok(()) => Ok(()),
                    Err(Stop::Failed(why)) => Err(TestCaseError::fail(why)),
                    Err(Stop::Skipped(why)) => Err(TestCaseError::reject(why)),
                }
            })
            .map_err(|error| Stop::Failed(error.to_string()))
    })
}
