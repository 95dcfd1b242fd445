//! People and API keys are the same on every server.

use super::pair::Pair;
use crate::{
    people::{ADA, add_user, logged_in, opens},
    support::{PATIENCE, poll},
};
use std::time::Instant;

pub(super) async fn who_is_added_at_one_server_logs_in_at_the_other(pair: &Pair) {
    let (a, b) = (&pair.a.server, &pair.b.server);
    add_user(a, ADA, &[]);
    let cookie = logged_in(b, ADA).await;
    assert!(
        opens(a, &cookie).await && opens(b, &cookie).await,
        "{}",
        pair.place.url
    );
    let output = b.setup().run(&["user", "disable", ADA.0]);
    assert!(output.status.success(), "{output:?}");
    assert!(
        !opens(a, &cookie).await && !opens(b, &cookie).await,
        "{}",
        pair.place.url
    );
}

/// Of servers that start together, one makes the first user.
pub(super) async fn there_is_one_admin_and_one_password(pair: &Pair) {
    let file = "cloakroom-data/initial-admin-password";
    let servers = [&pair.a.server, &pair.b.server];
    poll("the first password", || {
        let told = servers
            .iter()
            .filter(|server| server.setup().path().join(file).exists());
        (told.count() == 1).then_some(())
    });
    assert_eq!(pair.b.get("/v1/users").await.1["users"][0]["name"], "admin");
    assert_eq!(
        pair.a.get("/v1/users").await.1["users"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

pub(super) async fn a_key_of_one_server_opens_the_other_until_it_is_revoked(pair: &mut Pair) {
    pair.b.key = pair.a.key("shop", &["sessions:read"], None).await;
    let path = "/v1/sessions?subject=nobody";
    assert_eq!(pair.b.get(path).await.0, 200, "{}", pair.place.url);
    assert_eq!(pair.a.delete("/v1/api-keys/shop").await.0, 204);
    // The other server remembers a key until it hears of its end.
    let started = Instant::now();
    while pair.b.get(path).await.0 != 401 {
        assert!(started.elapsed() < PATIENCE, "{}", pair.place.url);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
