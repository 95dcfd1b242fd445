//! The whole suite on a correct store.

use crate::toy::{Flaw, ToyFixture};

type Correct = ToyFixture<{ Flaw::No as u8 }>;

cloakroom_conformance::suite!(Correct);

#[test]
fn nothing_is_skipped_where_everything_is_offered() {
    let report = cloakroom_conformance::run_all::<Correct>();
    assert_eq!(report.failed, []);
    assert_eq!(report.skipped, []);
    assert_eq!(
        report.passed.len(),
        cloakroom_conformance::cases::<Correct>().len()
    );
}
