//! The revocation clock: S-07, I-03 to I-07.

use std::sync::Arc;

use cloakroom_core::store::{
    Created, Expect, Refusal, Scope, Store as _, SubjectIndex as _, Touched, Updated,
};
use cloakroom_core::{Record, SubjectLimit};

use crate::fixture::Fixture;
use crate::kit::{self, create, everywhere, list_all, load, opens, sorted};
use crate::samples::{self, Sample};
use crate::verdict::{Checked, answers, ensure, ensure_eq};

fn in_app(app: &str, subject: &str) -> Scope {
    Scope::Subject {
        app: Some(samples::app(app)),
        subject: samples::subject(subject),
    }
}

/// S-07: a login whose proof began before the revocation of its scope is refused, as a new session and into one.
pub async fn s_07_a_login_from_before_a_revocation_loses<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let scopes = [
        everywhere("ann"),
        in_app("shop", "ann"),
        Scope::App(samples::app("shop")),
        Scope::Everything,
    ];
    for scope in scopes {
        let before = kit::epoch(&*store).await?;
        let raised = store.revoke_all(scope.clone(), None, now).await?.epoch;
        let anonymous = Sample::new(now).of("anyone", raised).app("shop").record();
        let anonymous = without_subject(anonymous);
        create(&*store, &anonymous, now).await?;
        let late = Sample::new(now).of("ann", before).app("shop").record();
        let answer = store.create(late.clone(), SubjectLimit::NONE, now).await?;
        answers!(answer, Created::Refused(Refusal::Revoked) => (), "create after {scope:?}");
        ensure!(
            store.load(late.id).await?.is_none(),
            "a refused session is kept"
        );
        let change = kit::login(&anonymous, "ann", before, now);
        let answer = store
            .update(
                anonymous.id,
                Expect::Security(1),
                change,
                SubjectLimit::NONE,
                now,
            )
            .await?;
        answers!(answer, Updated::Refused(Refusal::Revoked) => (), "login after {scope:?}");
        ensure_eq!(
            *load(&*store, anonymous.id).await?.record,
            anonymous,
            "a refused login"
        );
        let fresh = Sample::new(now).of("ann", raised).app("shop").record();
        create(&*store, &fresh, now).await?;
        ensure!(
            opens(&*store, &fresh, now).await?,
            "a login after {scope:?} does not open"
        );
    }
    Ok(())
}

fn without_subject(mut record: Record) -> Record {
    record.security.subject = None;
    record.security.authenticated_at = None;
    record
}

/// S-07: edits of data bring no security block, so a revocation of others does not stop them.
pub async fn s_07_data_edits_are_not_logins<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let record = Sample::new(now).of("ben", epoch).record();
    create(&*store, &record, now).await?;
    store.revoke_all(everywhere("ann"), None, now).await?;
    kit::update(
        &*store,
        record.id,
        Expect::Version(1),
        samples::set("a", 1),
        now,
    )
    .await?;
    Ok(())
}

/// I-03: from the answer on no session of the scope opens, and none can be changed; the answer counts the live ones.
pub async fn i_03_revoke_all_ends_every_session<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let mut records = Vec::new();
    for _ in 0..5 {
        let record = Sample::new(now).of("ann", epoch).record();
        create(&*store, &record, now).await?;
        records.push(record);
    }
    store.delete(records[4].id).await?;
    let revoked = store.revoke_all(everywhere("ann"), None, now).await?;
    ensure_eq!(revoked.count, 4, "live sessions that a revocation ended");
    if !revoked.ids.is_empty() {
        let ended = records[..4].iter().map(|record| record.id);
        ensure_eq!(sorted(revoked.ids), sorted(ended), "their ids");
    }
    for record in &records {
        ensure!(
            !opens(&*store, record, now).await?,
            "a revoked session opens"
        );
        let change = samples::set("a", 1);
        let expect = Expect::Security(1);
        let answer = store
            .update(record.id, expect, change, SubjectLimit::NONE, now)
            .await?;
        answers!(answer, Updated::Gone => (), "update of a revoked session");
        let answer = store.touch(record.id, record.activity, now).await?;
        ensure_eq!(answer, Touched::Gone, "touch of a revoked session");
        let change = kit::login(record, "ann", revoked.epoch, now);
        let answer = store
            .update(record.id, expect, change, SubjectLimit::NONE, now)
            .await?;
        answers!(answer, Updated::Gone => (), "login into a revoked session");
    }
    let listed = list_all(&*store, &everywhere("ann"), 10, now).await?;
    ensure!(listed.is_empty(), "revoked sessions are listed");
    let again = store.revoke_all(everywhere("ann"), None, now).await?;
    ensure_eq!(
        again.count,
        0,
        "live sessions that a second revocation ended"
    );
    Ok(())
}

/// I-03: the excepted session goes on, also under the next revocation that excepts it.
pub async fn i_03_the_excepted_session_is_admitted_anew<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let sample = Sample::new(now).of("ann", epoch);
    let (kept, other) = (sample.record(), sample.record());
    create(&*store, &kept, now).await?;
    create(&*store, &other, now).await?;
    for (round, count) in [1, 0].into_iter().enumerate() {
        let revoked = store
            .revoke_all(everywhere("ann"), Some(kept.id), now)
            .await?;
        ensure_eq!(revoked.count, count, "sessions ended in round {round}");
        ensure!(
            !revoked.ids.contains(&kept.id),
            "the excepted session is among the ended"
        );
        ensure!(
            opens(&*store, &kept, now).await?,
            "the excepted session does not open"
        );
        let loaded = load(&*store, kept.id).await?;
        ensure_eq!(
            loaded.record.security.admitted,
            revoked.epoch,
            "its new admission"
        );
        ensure!(!opens(&*store, &other, now).await?, "another session opens");
    }
    let loaded = load(&*store, kept.id).await?.record;
    let expect = Expect::Security(loaded.security.version);
    kit::update(&*store, kept.id, expect, samples::set("a", 1), now).await?;
    let listed = list_all(&*store, &everywhere("ann"), 10, now).await?;
    ensure_eq!(listed, vec![kept.id], "sessions listed after it");
    Ok(())
}

/// I-03: an exception revives nothing: neither a session that was revoked before, nor one of another scope.
pub async fn i_03_an_exception_revives_nothing<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let dead = Sample::new(now).of("ann", epoch).record();
    let foreign = Sample::new(now).of("ben", epoch).record();
    create(&*store, &dead, now).await?;
    create(&*store, &foreign, now).await?;
    store.revoke_all(everywhere("ann"), None, now).await?;
    for except in [dead.id, foreign.id, samples::id()] {
        store
            .revoke_all(everywhere("ann"), Some(except), now)
            .await?;
        ensure!(
            !opens(&*store, &dead, now).await?,
            "an exception revived a session"
        );
    }
    ensure_eq!(
        *load(&*store, foreign.id).await?.record,
        foreign,
        "another subject's session"
    );
    store.revoke_all(everywhere("ben"), None, now).await?;
    ensure!(
        !opens(&*store, &foreign, now).await?,
        "an exception outside its scope protects"
    );
    Ok(())
}

/// I-04: logins that race with revocations: whatever was admitted before one does not open after it, in whichever order
/// record and index were written.
pub async fn i_04_a_login_racing_a_revocation_never_opens<F: Fixture>(fixture: F) -> Checked {
    const LOGINS: usize = 6;
    let (handles, now) = (kit::handles(&fixture)?, fixture.now());
    for round in 0..kit::rounds(15) {
        let subject = format!("ann {round}");
        let epoch = kit::epoch(&*handles[0]).await?;
        let anonymous = Sample::new(now).record();
        let anonymous = Record {
            security: {
                let mut s = anonymous.security.clone();
                s.admitted = epoch;
                s
            },
            ..anonymous
        };
        create(&*handles[0], &anonymous, now).await?;
        let login = kit::login(&anonymous, &subject, epoch, now);
        let logged_in = anonymous.apply(&login);
        let logins: Vec<_> = (0..LOGINS)
            .map(|_| Sample::new(now).of(&subject, epoch).record())
            .collect();
        kit::together(LOGINS + 2, |number| {
            let store = Arc::clone(&handles[number % handles.len()]);
            let record = logins.get(number).cloned();
            let login = (number == LOGINS).then(|| login.clone());
            let (scope, id) = (everywhere(&subject), anonymous.id);
            async move {
                if let Some(record) = record {
                    store.create(record, SubjectLimit::NONE, now).await?;
                } else if let Some(change) = login {
                    let expect = Expect::Security(1);
                    store
                        .update(id, expect, change, SubjectLimit::NONE, now)
                        .await?;
                } else {
                    tokio::task::yield_now().await;
                    store.revoke_all(scope, None, now).await?;
                }
                Ok(())
            }
        })
        .await?;
        for store in &handles {
            for record in logins.iter().chain([&logged_in]) {
                let opens = opens(&**store, record, now).await?;
                ensure!(!opens, "a login from before a revocation opens after it");
            }
            let listed = list_all(&**store, &everywhere(&subject), 10, now).await?;
            ensure!(
                listed.is_empty(),
                "a login from before a revocation is listed after it"
            );
        }
    }
    Ok(())
}

/// I-05: every revocation raises the epoch before it is answered, also parallel ones, and it never goes back.
pub async fn i_05_every_revocation_raises_the_epoch<F: Fixture>(fixture: F) -> Checked {
    let (handles, now) = (kit::handles(&fixture)?, fixture.now());
    let mut last = kit::epoch(&*handles[0]).await?;
    ensure!(
        kit::epoch(&*handles[0]).await? >= last,
        "the epoch went back"
    );
    for scope in [
        everywhere("nobody"),
        Scope::App(samples::app("none")),
        Scope::Everything,
    ] {
        let revoked = handles[0].revoke_all(scope, None, now).await?;
        ensure!(revoked.epoch > last, "a revocation did not raise the epoch");
        for store in &handles {
            let shown = kit::epoch(&**store).await?;
            ensure!(
                shown >= revoked.epoch,
                "the epoch is behind an answered revocation"
            );
        }
        last = revoked.epoch;
    }
    kit::together(8, |number| {
        let store = Arc::clone(&handles[number % handles.len()]);
        async move {
            for _ in 0..5 {
                let before = kit::epoch(&*store).await?;
                let scope = everywhere(&format!("ann {number}"));
                let revoked = store.revoke_all(scope, None, now).await?;
                ensure!(
                    revoked.epoch > before,
                    "a parallel revocation did not raise the epoch"
                );
                let after = kit::epoch(&*store).await?;
                ensure!(after >= revoked.epoch, "the epoch went back");
            }
            Ok(())
        }
    })
    .await?;
    Ok(())
}

/// I-06: revoking a subject in one application, or an application, leaves everything else.
pub async fn i_06_scopes_are_apart<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let records = [
        Sample::new(now).of("ann", epoch).app("shop").record(),
        Sample::new(now).of("ann", epoch).app("forum").record(),
        Sample::new(now).of("ann", epoch).record(),
        Sample::new(now).of("ben", epoch).app("shop").record(),
        without_subject(Sample::new(now).of("ann", epoch).app("shop").record()),
    ];
    for record in &records {
        create(&*store, record, now).await?;
    }
    let steps = [
        (in_app("shop", "ann"), [false, true, true, true, true]),
        (in_app("shop", "eve"), [false, true, true, true, true]),
        (
            Scope::App(samples::app("shop")),
            [false, true, true, false, false],
        ),
        (Scope::Everything, [false; 5]),
    ];
    for (scope, wanted) in steps {
        store.revoke_all(scope.clone(), None, now).await?;
        let mut alive = [false; 5];
        for (alive, record) in alive.iter_mut().zip(&records) {
            *alive = opens(&*store, record, now).await?;
        }
        ensure_eq!(alive, wanted, "who opens after revoking {scope:?}");
    }
    Ok(())
}

/// I-07: revoking a subject without an application reaches all of them.
pub async fn i_07_without_an_application_all_are_reached<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let epoch = kit::epoch(&*store).await?;
    let own = Sample::new(now).of("ann", epoch);
    let records = [
        own.clone().app("shop").record(),
        own.clone().app("forum").record(),
        own.record(),
    ];
    for record in &records {
        create(&*store, record, now).await?;
    }
    let other = Sample::new(now).of("anna", epoch).record();
    create(&*store, &other, now).await?;
    let revoked = store.revoke_all(everywhere("ann"), None, now).await?;
    ensure_eq!(revoked.count, 3, "sessions that ended in all applications");
    for record in &records {
        ensure!(
            !opens(&*store, record, now).await?,
            "a session in one application is left"
        );
    }
    ensure!(
        opens(&*store, &other, now).await?,
        "another subject's session ended"
    );
    let late = own.app("wiki").record();
    let answer = store.create(late, SubjectLimit::NONE, now).await?;
    answers!(answer, Created::Refused(Refusal::Revoked) => (), "a late login elsewhere");
    Ok(())
}
