//! The whole suite on a correct store.

use crate::toy::ToyFixture;

cloakroom_conformance::suite!(ToyFixture);

#[test]
fn nothing_is_skipped_where_everything_is_offered() {
    let report = cloakroom_conformance::run_all::<ToyFixture>();
    assert_eq!(report.failed, []);
    assert_eq!(report.skipped, []);
    assert_eq!(
        report.passed.len(),
        cloakroom_conformance::cases::<ToyFixture>().len()
    );
}
