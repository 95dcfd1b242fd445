//! Several servers on one store, for every store that can be shared.

mod increments;
mod keys;
mod migrate;
mod pair;
mod people;
mod place;
mod sessions;

use self::pair::Pair;

/// One pair for all of these: what costs time is to start servers.
#[tokio::test]
async fn all_is_the_same_on_every_server() {
    for mut pair in Pair::each().await {
        people::there_is_one_admin_and_one_password(&pair).await;
        sessions::the_start_message_says_that_all_is_shared(&pair).await;
        sessions::what_one_server_does_the_other_sees_at_once(&pair).await;
        sessions::both_servers_renew_to_the_same_token(&pair).await;
        people::who_is_added_at_one_server_logs_in_at_the_other(&pair).await;
        keys::the_keys_are_not_in_the_store(&pair).await;
        people::a_key_of_one_server_opens_the_other_until_it_is_revoked(&mut pair).await;
    }
}
