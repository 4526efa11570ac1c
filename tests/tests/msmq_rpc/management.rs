//! qmmgmt: what a queue manager tells of its queues.

use comqc_msmq::mqmr::{Management, MgmtObject, QueueInfo, machine, queue};
use comqc_msmq::rpc::{MqStatus, PropVariant, QueueFormat};

use crate::setup::{House, credentials, options};

async fn asked(house: &House, user: &str) -> Management {
    Management::connect("127.0.0.1", Some(house.port()), &credentials(user)).await.unwrap()
}

#[tokio::test]
async fn queues_are_found_and_counted() {
    let house = House::new().await;
    house.fill(&["one", "three"]);
    let manager = asked(&house, "ann").await;
    let names = ["orders", "other"].map(|name| format!("box.example.com\\PRIVATE$\\{name}"));
    assert_eq!(manager.private_queues().await.unwrap(), names);
    assert_eq!(manager.active_queues().await.unwrap(), names.clone().map(|name| format!("DIRECT=OS:{name}")));
    let values = manager.get_info(
        MgmtObject::Machine(0),
        &[machine::CONNECTED, machine::BYTES_IN_ALL_QUEUES, machine::DSSERVER],
    );
    assert_eq!(
        values.await.unwrap(),
        [PropVariant::text("CONNECTED"), PropVariant::I8(8), PropVariant::Null]
    );
    let orders = QueueFormat::direct("OS:box\\private$\\orders");
    let told = QueueInfo {
        path_name: names[0].clone(),
        format_name: format!("DIRECT=OS:{}", names[0]),
        kind: "PRIVATE".into(),
        transactional: Some(true),
        messages: 2,
        journal_messages: 0,
    };
    assert_eq!(manager.queue(orders.clone()).await.unwrap(), told);
    // Bob may know of his queue, and of nothing else.
    let bob = asked(&house, "bob").await;
    assert_eq!(bob.queue(orders).await.unwrap(), told);
    let denied = Some(MqStatus::MQ_ERROR_ACCESS_DENIED);
    assert_eq!(bob.private_queues().await.unwrap_err().status(), denied);
    assert_eq!(bob.queue(QueueFormat::direct("OS:box\\private$\\other")).await.unwrap_err().status(), denied);
}

#[tokio::test]
async fn properties_that_are_none_and_sessions_are_refused() {
    let house = House::new().await;
    let manager = asked(&house, "ann").await;
    let status = async |object, properties: &[u32]| {
        manager.get_info(object, properties).await.map_err(|error| error.status())
    };
    let illegal = Err(Some(MqStatus::MQ_ERROR_ILLEGAL_PROPID));
    assert_eq!(status(MgmtObject::Machine(0), &[machine::TYPE, 7]).await, illegal);
    let orders = || MgmtObject::Queue(Some(QueueFormat::direct("OS:box\\private$\\orders")));
    assert_eq!(status(orders(), &[28]).await, illegal);
    let invalid = Err(Some(MqStatus::MQ_ERROR_INVALID_PARAMETER));
    assert_eq!(status(MgmtObject::Session(0), &[1]).await, invalid);
    assert_eq!(status(MgmtObject::Queue(None), &[1]).await, invalid);
    assert_eq!(status(orders(), &[]).await, invalid);
    assert_eq!(status(orders(), &[queue::TYPE; 129]).await, invalid);
    assert_eq!(status(orders(), &[queue::TYPE; 128]).await.unwrap().len(), 128);
    let unknown = MgmtObject::Queue(Some(QueueFormat::direct("OS:box\\private$\\nothing")));
    assert_eq!(status(unknown, &[1]).await, Err(Some(MqStatus::MQ_ERROR_QUEUE_NOT_FOUND)));
}

#[tokio::test]
async fn actions_are_refused_unless_they_are_wanted() {
    let house = House::new().await;
    let status = async |house: &House, user, object, action| {
        asked(house, user).await.action(object, action).await.map_err(|error| error.status().unwrap())
    };
    let machine = || MgmtObject::Machine(0);
    let denied = Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
    assert_eq!(status(&house, "ann", machine(), "TIDY").await, denied);
    let mut options = options();
    options.actions = true;
    let house = House::with(options, |manager| manager).await;
    house.fill(&["one"]);
    assert_eq!(status(&house, "ann", machine(), "tidy").await, Ok(()));
    // The text of 3.1.4.2 would have all queues purged.
    assert_eq!(house.orders().count().unwrap().main, 1);
    assert_eq!(status(&house, "bob", machine(), "TIDY").await, denied);
    assert_eq!(
        status(&house, "ann", machine(), "DISCONNECT").await,
        Err(MqStatus::MQ_ERROR_UNSUPPORTED_OPERATION)
    );
    assert_eq!(status(&house, "ann", machine(), "BURN").await, Err(MqStatus::MQ_ERROR_INVALID_PARAMETER));
}
