//! `remassist demo`: whole sessions between our expert and our novice, over RDP on this machine, and queued calls.

use std::io::Write;
use std::net::SocketAddr;

use remassist::channel::encomsp::{ControlFlags, Message, Pdu};
use remassist::channel::{ChannelName, Control, ErrorCode, FileVerb, NameBstr, Packet};
use remassist::core::text::TextDocument;
use remassist::core::{Encode as _, Role, Version};
use remassist::rccommand::{Command, Contact, ContactTime, FileXfer, InternalData, Name, RsaPublicKey};
use remassist::session::{
    Channel, ControlEvent, Credentials, EndedBy, Event, ExpertConfig, FileEvent, NoviceConfig, OwnContact,
    Reason, TakeBack, Why,
};

use crate::Failure;
use crate::args::{Act, DemoArgs, Scenario};

mod offer;
mod orders;
mod queue;
mod stage;
mod wire;
pub mod words;

use stage::{Check, Door, Stage, fits};

const PASSWORD: &str = "Pass123!";
const PASS_STUB: &str = "o2*5GdBARK_JBB";
const EASY_PASSWORD: &str = "F8JKRV";
const ID: &str = "+ULZ6ifjoCa6cGPMLQiGHRPwkg6VyJqGwxMnO6GcelwUh9a6";
const GREETING: &str = "Hello, this is Eva. What can I do for you?";
const ANSWER: &str = "My printer is gone. Can you see it?";

pub fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Some(folder) = &args.player {
        return runtime.block_on(orders::play(folder, args.stop_at));
    }
    let checks = runtime.block_on(acts(args, out))?;
    writeln!(out, "\nChecks")?;
    for (what, held) in &checks {
        writeln!(out, "  {} {what}", if *held { "ok    " } else { "FAILED" })?;
    }
    let failed = checks.iter().filter(|(_, held)| !held).count();
    writeln!(out, "{} checks, {failed} failed", checks.len())?;
    out.flush()?;
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::Input(format!("{failed} of {} checks failed", checks.len())))
    }
}

async fn acts(args: &DemoArgs, out: &mut dyn Write) -> Result<Vec<Check>, Failure> {
    let wanted = |act| match args.act {
        // How a session ends otherwise is all that is wanted.
        None => act == Act::Help || args.scenario == Scenario::Session,
        Some(only) => act == only,
    };
    let mut checks = Vec::new();
    if wanted(Act::Help) {
        checks.extend(scenario(args.scenario, out).await?);
    }
    if wanted(Act::Offer) {
        checks.extend(offer::act(out).await?);
    }
    if wanted(Act::Queue) {
        checks.extend(queue::act(out).await?);
    }
    if wanted(Act::Msmq) {
        checks.extend(wire::act(out).await?);
    }
    Ok(checks)
}

async fn scenario(scenario: Scenario, out: &mut dyn Write) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    for version in [Version::V2, Version::V3] {
        checks.extend(match scenario {
            Scenario::Session => session(out, version).await?,
            Scenario::WrongPassword => wrong_password(out, version).await?,
            Scenario::Refused => refused(out, version).await?,
            Scenario::Hostile => hostile(out, version).await?,
        });
    }
    Ok(checks)
}

fn connection_string(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "<E><A KH=\"DCEjZ+oQYYhi6w1zmvlcZNF/Bnw=\" ID=\"{ID}\"/><C><T ID=\"1\" SID=\"0\">\
         <L P=\"{port}\" N=\"{ip}\"/></T></C></E>"
    )
}

/// What an invitation of type 2, or Easy Connect, gives to both.
fn credentials(
    version: Version,
    address: SocketAddr,
    password: Option<&str>,
) -> Result<Credentials, Failure> {
    let string = connection_string(address);
    fits(match version {
        Version::V3 => Credentials::easy_connect(&string, password.unwrap_or(EASY_PASSWORD)),
        _ => {
            let password = Some(password.unwrap_or(PASSWORD));
            Credentials::invitation(&string, password, Some(PASS_STUB))
        }
    })
}

/// A contact with a key that nobody has the other half of.
fn contact(name: &str, seed: u8) -> Result<OwnContact, Failure> {
    let modulus = (0..128).map(|n: u8| n.wrapping_mul(73).wrapping_add(seed) | 0x81).collect();
    let key = RsaPublicKey { exponent: 65_537, modulus };
    let time = ContactTime { year: 2026, month: 11, day: 21, hour: 12, minute: 0, second: 0, microsecond: 0 };
    let picture = b"BM and the rest of a picture".to_vec();
    let contact = fits(Contact::new(name, format!("{name}-PC"), picture, &key, time))?;
    Ok(OwnContact { contact, internal_data: InternalData(1) })
}

/// A stage with both people; the expert may have another password.
async fn stage<'o>(
    out: &'o mut dyn Write,
    title: &str,
    version: Version,
    expert_password: Option<&str>,
    deny_control: bool,
) -> Result<Stage<'o>, Failure> {
    let door = Door::open().await?;
    let mut expert = ExpertConfig::new(credentials(version, door.address, expert_password)?);
    expert.options.name = "Eva".to_owned();
    expert.user_name = "eva".to_owned();
    let mut novice = NoviceConfig::new([credentials(version, door.address, None)?]);
    novice.options.name = "Nils".to_owned();
    novice.deny_control = deny_control;
    if version == Version::V3 {
        expert.options.contact = Some(contact("Eva", 3)?);
        novice.options.contact = Some(contact("Nils", 5)?);
    }
    writeln!(out, "\n== {title}: version {} over RDP with TLS ==", words::number(version))?;
    Stage::new(out, door, expert, novice).await
}

/// The novice agrees, and the first picture of its screen comes to the expert.
fn agree(stage: &mut Stage<'_>, event: &Event) -> Result<(), Failure> {
    match event {
        Event::AskView { .. } => fits(stage.novice().allow_view()),
        Event::ShareScreen => fits(stage.novice().view_started()),
        _ => Ok(()),
    }
}

fn check(checks: &mut Vec<Check>, version: Version, what: &str, held: bool) {
    checks.push((format!("version {}: {what}", words::number(version)), held));
}

/// The checks that every scenario ends with.
fn always(checks: &mut Vec<Check>, version: Version, stage: &mut Stage<'_>) -> Result<(), Failure> {
    stage.finish()?;
    let secrets = [PASSWORD, PASS_STUB, EASY_PASSWORD, ID];
    let none = !secrets.iter().any(|secret| stage.printed().contains(secret));
    check(checks, version, "no password, PassStub or connection string in the transcript", none);
    let over = stage.expert().is_closed() && stage.novice().is_closed();
    check(checks, version, "both sides know that it is over", over);
    Ok(())
}

async fn session(out: &mut dyn Write, version: Version) -> Result<Vec<Check>, Failure> {
    let mut stage = stage(out, "a whole session", version, None, false).await?;
    let (mut verified, mut established) = (Vec::new(), Vec::new());
    let (mut chats, mut contacts) = (Vec::new(), Vec::new());
    let (mut before, mut during, mut after) = (true, false, true);
    let (mut sent, mut reasons) = (Vec::new(), Vec::new());
    stage
        .play(&mut |stage, role, event| {
            agree(stage, event)?;
            match (role, event) {
                (_, Event::Verified) => verified.push(role),
                (_, Event::Established(v)) => {
                    established.push((*v, verified.contains(&role)));
                    if role == Role::Expert {
                        fits(stage.expert().typing())?;
                        fits(stage.expert().chat().send(GREETING))?;
                    }
                }
                (_, Event::Chat(text)) => {
                    chats.push(text.clone());
                    match role {
                        Role::Novice => fits(stage.novice().chat().send(ANSWER))?,
                        Role::Expert => {
                            before = stage.novice().may_deliver_input();
                            fits(stage.expert().request_control())?;
                        }
                    }
                }
                (Role::Novice, Event::Control(ControlEvent::Requested)) => {
                    before |= stage.novice().may_deliver_input();
                    fits(stage.novice().allow_control())?;
                }
                (Role::Expert, Event::Control(ControlEvent::Granted)) => {
                    during = stage.novice().may_deliver_input() && stage.expert().is_controlling();
                    fits(stage.novice().take_control(TakeBack::PanicKey))?;
                    after = stage.novice().may_deliver_input();
                }
                (Role::Expert, Event::Control(ControlEvent::Ended(EndedBy::PanicKey))) => {
                    after |= stage.expert().is_controlling();
                    sent.push(stage.offer(Role::Expert, "printer-driver.cab", 3_000_001)?);
                }
                (_, Event::File(FileEvent::Offered { id, .. })) => stage.accept(role, *id)?,
                (Role::Novice, Event::File(FileEvent::Complete { .. })) => {
                    sent.push(stage.offer(Role::Novice, "printer.log", 1_048_576)?);
                }
                (Role::Expert, Event::File(FileEvent::Complete { .. })) => stage.expert().close(),
                (_, Event::Contact(contact)) => contacts.push((role, contact.clone())),
                (_, Event::Closed(reason)) => reasons.push((role, *reason)),
                _ => {}
            }
            Ok(())
        })
        .await?;
    let mut checks = Vec::new();
    let mut check = |what: &str, held| check(&mut checks, version, what, held);
    check("the version is the one that the invitation demands", stage.novice().version() == Some(version));
    check("each side was established after it had verified", established == [(version, true); 2]);
    check("the expert saw the novice's screen", stage.seen);
    check("chat arrived both ways", chats == [GREETING, ANSWER]);
    check("input was deliverable while control was shared", during);
    check("input was deliverable at no other time", !before && !after);
    let same = |(sent, (_, arrived)): (&_, &(Role, _))| matches!((std::fs::read(sent), std::fs::read(arrived)), (Ok(a), Ok(b)) if a == b);
    let files = sent.len() == 2 && stage.arrived.len() == 2 && sent.iter().zip(&stage.arrived).all(same);
    check("a file arrived each way, byte for byte", files);
    if version == Version::V3 {
        let names: Vec<_> = contacts.iter().map(|(role, c)| (*role, c.name.as_str())).collect();
        check("contacts were exchanged", names == [(Role::Novice, "Eva"), (Role::Expert, "Nils")]);
        let own = contacts.iter().all(|(_, c)| c.address_matches_key());
        check("each contact's address belongs to its key", own);
    }
    let crossed = stage.ignored.iter().all(|why| *why == Why::Busy);
    check("nothing was dropped but offers of files that crossed, which were made again", crossed);
    check("the expert disconnected", {
        reasons.contains(&(Role::Expert, Reason::Local)) && reasons.contains(&(Role::Novice, Reason::Peer))
    });
    always(&mut checks, version, &mut stage)?;
    Ok(checks)
}

async fn wrong_password(out: &mut dyn Write, version: Version) -> Result<Vec<Check>, Failure> {
    let mut stage = stage(out, "a wrong password", version, Some("GGGGGG"), false).await?;
    let (mut asked, mut established, mut reasons) = (false, false, Vec::new());
    stage
        .play(&mut |stage, role, event| {
            agree(stage, event)?;
            match event {
                Event::AskView { .. } => asked = true,
                Event::Established(_) => established = true,
                Event::Closed(reason) => reasons.push((role, *reason)),
                _ => {}
            }
            Ok(())
        })
        .await?;
    let mut checks = Vec::new();
    let mut check = |what: &str, held| check(&mut checks, version, what, held);
    check("nobody was asked, nothing was established", !asked && !established);
    match version {
        Version::V3 => {
            check(
                "the expert saw that the novice's token is wrong",
                reasons.contains(&(Role::Expert, Reason::WrongToken)),
            );
            check("its own token was never sent", stage.printed().matches("CTL_TOKEN").count() == 1);
            check("the novice was disconnected", reasons.contains(&(Role::Novice, Reason::Peer)));
        }
        _ => {
            let refused = Reason::Refused(ErrorCode::PASSWORDS_DONT_MATCH);
            check(
                "the novice did not verify the expert",
                reasons.contains(&(Role::Novice, Reason::NotVerified)),
            );
            check("the expert was told PASSWORDS_DONT_MATCH", reasons.contains(&(Role::Expert, refused)));
        }
    }
    check(
        "one attempt less is left",
        stage.novice().attempts().left() == if version == Version::V3 { 3 } else { 2 },
    );
    always(&mut checks, version, &mut stage)?;
    Ok(checks)
}

async fn refused(out: &mut dyn Write, version: Version) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    {
        let mut stage = stage(out, "the user refuses the view", version, None, false).await?;
        let (mut established, mut reasons) = (false, Vec::new());
        stage
            .play(&mut |stage, role, event| {
                match event {
                    Event::AskView { .. } => fits(stage.novice().refuse_view())?,
                    Event::Established(_) => established = true,
                    Event::Closed(reason) => reasons.push((role, *reason)),
                    _ => {}
                }
                Ok(())
            })
            .await?;
        let mut check = |what: &str, held| check(&mut checks, version, what, held);
        check("a refused view establishes nothing", !established);
        let told = match version {
            Version::V3 => Reason::Peer,
            _ => Reason::Refused(ErrorCode::HELPEE_SAID_NO),
        };
        let how = if version == Version::V3 { "by the end of the connection" } else { "HELPEESAIDNO" };
        check(&format!("the expert was told {how}"), reasons.contains(&(Role::Expert, told)));
        always(&mut checks, version, &mut stage)?;
    }
    for deny in [false, true] {
        let title = if deny { "a policy forbids control" } else { "the user refuses control and a file" };
        let mut stage = stage(out, title, version, None, deny).await?;
        let (mut controls, mut input, mut failed) = (Vec::new(), false, 0);
        stage
            .play(&mut |stage, role, event| {
                agree(stage, event)?;
                input |= stage.novice().may_deliver_input();
                match (role, event) {
                    (Role::Expert, Event::Established(_)) => fits(stage.expert().request_control())?,
                    (Role::Novice, Event::Control(ControlEvent::Requested)) => {
                        fits(stage.novice().refuse_control())?;
                    }
                    (Role::Expert, Event::Control(event)) => {
                        controls.push(*event);
                        stage.offer(Role::Expert, "unwanted.exe", 5000)?;
                    }
                    (Role::Novice, Event::File(FileEvent::Offered { id, .. })) => {
                        fits(stage.novice().files().refuse(*id))?;
                    }
                    (Role::Expert, Event::File(FileEvent::Failed { .. })) => {
                        failed += 1;
                        stage.expert().close();
                    }
                    _ => {}
                }
                Ok(())
            })
            .await?;
        let expected = if deny { ControlEvent::Denied } else { ControlEvent::Refused };
        let mut check = |what: &str, held| check(&mut checks, version, what, held);
        check(
            if deny { "DENIEDRC came without asking anybody" } else { "REJECTRC came" },
            controls == [expected],
        );
        check("no input was deliverable", !input);
        check("a refused file does not arrive", failed == 1 && stage.arrived.is_empty());
        always(&mut checks, version, &mut stage)?;
    }
    Ok(checks)
}

fn control(message: Control<'_>) -> Result<Vec<u8>, Failure> {
    fits(Packet::control(message).to_vec())
}

fn command(command: &Command<'_>) -> Result<Vec<u8>, Failure> {
    fits(TextDocument::unicode_z(command.to_message()).to_vec())
}

fn file_xfer(name: &str, size: u64, channel: &str) -> Result<Vec<u8>, Failure> {
    command(&Command::FileXfer(FileXfer {
        file_name: name.into(),
        file_size: size,
        channel_id: channel.into(),
        internal_data: InternalData::NONE,
    }))
}

/// A payload as it travels: alone on its dynamic channel, or in a packet on `remdesk`.
fn on(channel: Channel, version: Version, bytes: Vec<u8>) -> Result<(Channel, Vec<u8>), Failure> {
    let name = ChannelName::parse(&channel.to_string());
    match (version, name, channel) {
        (Version::V3, ..) | (_, _, Channel::Encomsp | Channel::Remdesk) | (_, None, _) => {
            Ok((channel, bytes))
        }
        (_, Some(name), _) => Ok((Channel::Remdesk, fits(Packet::payload(name, bytes).to_vec())?)),
    }
}

async fn hostile(out: &mut dyn Write, version: Version) -> Result<Vec<Check>, Failure> {
    let mut stage = stage(out, "a hostile peer", version, None, false).await?;
    let carrier = if version == Version::V3 { Channel::Control } else { Channel::Remdesk };
    let ask = fits(
        Pdu::new(Message::ControlChange {
            flags: ControlFlags::REQUEST_VIEW | ControlFlags::REQUEST_INTERACT,
            participant_id: 1,
        })
        .to_vec(),
    )?;
    let plain = |name| command(&Command::Plain(name));

    // Before anybody has proved anything: lengths that lie, messages that do not belong.
    let early = [
        (carrier, vec![0x0E, 0, 0, 0, 0, 0, 0, 4, 0x52, 0]),
        (carrier, vec![0x0D, 0, 0, 0, 4, 0, 0, 0, 0x52, 0]),
        (carrier, vec![0xFF; 64]),
        (carrier, control(Control::Result { code: ErrorCode::NO_ERROR })?),
        (carrier, control(Control::NoviceName { name: NameBstr::new("somebody") })?),
        (Channel::Encomsp, ask.clone()),
        on(Channel::Commands, version, plain(Name::AbortRc)?)?,
        on(Channel::Chat, version, b"h\0i\0\0\0".to_vec())?,
    ];
    let mut input = false;
    let mut suggestions = Vec::new();
    let (mut failed, mut reasons) = (Vec::new(), Vec::new());
    let mut script = |stage: &mut Stage<'_>, role: Role, event: &Event| {
        agree(stage, event)?;
        input |= stage.novice().may_deliver_input() | stage.expert().is_controlling();
        match (role, event) {
            (Role::Novice, Event::Control(ControlEvent::Requested)) => {
                fits(stage.novice().refuse_control())?;
            }
            (_, Event::File(FileEvent::Offered { id, name, .. })) => {
                suggestions.push(name.suggestion.clone());
                stage.accept(role, *id)?;
            }
            (_, Event::File(FileEvent::Failed { why, .. })) => failed.push(*why),
            (_, Event::Closed(reason)) => reasons.push((role, *reason)),
            _ => {}
        }
        Ok(())
    };
    stage.play_until(&mut script, |stage| stage.passed > 0).await?;
    stage.say("-- forged messages to the novice, before anything is verified")?;
    for (channel, bytes) in &early {
        stage.inject(Role::Novice, *channel, bytes)?;
    }
    let both = |stage: &mut Stage<'_>| stage.novice().is_established() && stage.expert().is_established();
    stage.play_until(&mut script, both).await?;
    stage.settle(&mut script).await?;
    let survived = stage.novice().is_established() && stage.expert().is_established();
    let before = stage.ignored.len();

    // In the session: control that nobody granted, a file with a path in its name that ends too early, another one that
    // wants to travel on a channel of the session.
    let late = [
        (Role::Novice, on(Channel::Commands, version, plain(Name::AcceptRc)?)?),
        (Role::Expert, on(Channel::Commands, version, plain(Name::AcceptRc)?)?),
        (Role::Expert, (carrier, control(Control::expert_on_vista(&b"?"[..]))?)),
        (Role::Novice, (Channel::Encomsp, ask)),
        (Role::Novice, on(Channel::Commands, version, file_xfer("second.txt", 1, "71")?)?),
    ];
    stage.say("-- forged messages in the session")?;
    for (to, (channel, bytes)) in &late {
        stage.inject(*to, *channel, bytes)?;
        stage.settle(&mut script).await?;
    }
    stage.say("-- somebody in the expert's place offers a file, and ends it after four bytes")?;
    stage.replaced = true;
    let name = "..\\..\\Startup\\evil.exe:x";
    let (channel, bytes) = on(Channel::Commands, version, file_xfer(name, 5000, "RA_FX")?)?;
    stage.inject(Role::Novice, channel, &bytes)?;
    stage.settle(&mut script).await?;
    let transfer = Channel::Transfer(ChannelName::Transfer);
    stage.pretend_open(transfer)?;
    let end = FileVerb::End.to_wire().as_bytes().to_vec();
    for bytes in [b"MZ\x90\0".to_vec(), end] {
        let (channel, bytes) = on(transfer, version, bytes)?;
        stage.inject(Role::Novice, channel, &bytes)?;
    }
    stage.settle(&mut script).await?;
    let still = stage.novice().is_established() && stage.expert().is_established();
    stage.replaced = false;
    stage.novice().close();
    stage.play(&mut script).await?;

    let mut checks = Vec::new();
    let mut check = |what: &str, held| check(&mut checks, version, what, held);
    check(
        &format!("{} forged messages before the handshake were dropped", early.len()),
        before >= early.len(),
    );
    check("the right expert was let in nevertheless", survived);
    check("no input was deliverable at any time", !input);
    check("the path in a file's name is gone", suggestions == ["evil.exe"] || suggestions == ["evil.exe_x"]);
    check("the file that ended too early did not arrive", failed.len() == 1 && stage.arrived.is_empty());
    check("the session outlived it", still);
    check("it ended when the novice ended it", reasons.contains(&(Role::Novice, Reason::Local)));
    always(&mut checks, version, &mut stage)?;
    Ok(checks)
}
