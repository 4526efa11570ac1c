//! Sessions and tickets, and why there are none.

use ra_dcom::HResult;
use ra_dcom::expert::{ExpertError, Interfaces, OfferableSession, Told};
use ra_dcom::novice::{Refusal, SessionChoice, TicketForm};
use rpc_net::{ConnectOptions, Credentials, Mechanism};

use crate::pair::{Machine, PASSWORD, Pair, sessions};

fn names(sessions: &[OfferableSession]) -> Vec<(String, u32)> {
    sessions.iter().map(|s| (format!("{}\\{}", s.domain, s.user), s.id)).collect()
}

fn machine() -> Machine {
    Machine { sessions: sessions(), ..Machine::default() }
}

#[tokio::test]
async fn a_ticket_by_either_interface_and_mechanism() {
    let pair = Pair::new(machine()).await;
    let usable = [("DESK\\nora", 1), ("BÜRO\\Jürgen 😀", 2), ("DESK\\colon:5", 70_000), ("DESK\\shadow", 8)];
    let others = [("DESK\\gone", 6), ("DESK\\idle", 7)];
    for mechanism in [Mechanism::Ntlm, Mechanism::Negotiate] {
        let mut options = ConnectOptions::new(Credentials::new("DESK", "eva", PASSWORD));
        options.mechanism = mechanism;
        let expert = pair.expert_with(options).await.unwrap();

        let told = expert.sessions().await.unwrap();
        let mut listed = names(&told);
        listed.sort_by_key(|session| session.1);
        let mut wanted: Vec<_> = usable.iter().map(|(name, id)| ((*name).to_owned(), *id)).collect();
        wanted.sort_by_key(|session| session.1);
        assert_eq!(listed, wanted);
        assert!(told.iter().all(|s| s.told == Told::RaSrv && s.state.is_none()));
        let session = told.iter().find(|s| s.id == 2).unwrap();
        let ticket = expert.ticket(session, "DESK\\eva").await.unwrap();
        assert!(ticket.expose().starts_with("ticket 2 of Id(2)"), "{}", ticket.expose());
        let asked = pair.machine.asked.lock().unwrap().pop().unwrap();
        assert_eq!((asked.caller.user.as_str(), asked.session), ("eva", SessionChoice::Id(2)));
        assert_eq!(asked.form, TicketForm::ConnectionString2);

        let old = expert.with_interfaces(Interfaces::PchService);
        let told = old.sessions().await.unwrap();
        let all: Vec<_> = usable.iter().chain(&others).map(|(name, id)| ((*name).to_owned(), *id)).collect();
        let mut listed = names(&told);
        listed.sort_by_key(|session| session.1);
        let mut wanted = all.clone();
        wanted.sort_by_key(|session| session.1);
        assert_eq!(listed, wanted);
        assert!(told.iter().all(|s| s.told == Told::PchService && s.state.is_some()));
        let session = told.iter().find(|s| s.id == 70_000).unwrap();
        let ticket = old.ticket(session, "DESK\\eva").await.unwrap();
        assert!(ticket.expose().starts_with("ticket 1 of Id(70000)"), "{}", ticket.expose());
        let asked = pair.machine.asked.lock().unwrap().pop().unwrap();
        let user = asked.user.unwrap();
        assert_eq!((user.domain.as_str(), user.user.as_str()), ("DESK", "colon:5"));
        let blob = asked.help_blob.unwrap();
        assert_eq!(blob, "13;UNSOLICITED=111;ID=DESK\\eva");
    }
    pair.server.shutdown().await;
}

#[tokio::test]
async fn no_sessions_at_all() {
    let pair = Pair::new(Machine::default()).await;
    for interfaces in [Interfaces::RaSrv, Interfaces::PchService] {
        assert_eq!(pair.eva().await.with_interfaces(interfaces).sessions().await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    for mechanism in [Mechanism::Ntlm, Mechanism::Negotiate] {
        let pair = Pair::new(machine()).await;
        let mut options = ConnectOptions::new(Credentials::new("DESK", "eva", "Pass124!"));
        options.mechanism = mechanism;
        let error = pair.expert_with(options).await.unwrap().sessions().await.unwrap_err();
        assert!(error.is_denied() && error.is_final(), "{error:?}");
        let refused =
            |event: &&rpc_net::AuditEvent| matches!(event, rpc_net::AuditEvent::LogonRefused { .. });
        assert_eq!(pair.notes.rpc.lock().unwrap().iter().filter(refused).count(), 1);
    }
}

#[tokio::test]
async fn who_is_no_helper_is_told_so() {
    let pair = Pair::new(machine()).await;
    let error = pair.expert("otto", PASSWORD).await.unwrap().sessions().await.unwrap_err();
    assert!(matches!(error, ExpertError::Call { hresult: HResult::E_ACCESSDENIED, .. }), "{error:?}");
    assert!(error.is_denied());
}

#[tokio::test]
async fn refusals_that_another_interface_cannot_mend() {
    for (refusal, hresult) in [
        (Refusal::AlreadyRunning, HResult::ERROR_CANNOT_MAKE),
        (Refusal::Policy, HResult::ERROR_ACCESS_DISABLED_BY_POLICY),
    ] {
        let pair = Pair::new(Machine { refuses: Some(refusal), ..machine() }).await;
        let error = pair.eva().await.sessions().await.unwrap_err();
        assert!(matches!(error, ExpertError::Call { hresult: h, .. } if h == hresult), "{error:?}");
        assert!(error.is_final());
        let pair = Pair::new(Machine { keeps_tickets: Some(refusal), ..machine() }).await;
        let expert = pair.eva().await;
        let session = expert.sessions().await.unwrap().remove(0);
        let error = expert.ticket(&session, "DESK\\eva").await.unwrap_err();
        assert!(matches!(error, ExpertError::Call { hresult: h, .. } if h == hresult), "{error:?}");
    }
}
