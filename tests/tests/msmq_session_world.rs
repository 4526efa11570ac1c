//! Two queue managers whose connections break, whose processes die and whose clocks jump.

use std::time::Instant;

use msmq_session::{AckRoute, Options};
use testkit::measure::{Random, record, soak};
use testkit::msmq::{Setting, World};
use uuid::Uuid;

fn worlds(what: &str, number: u64, steps: u64, setting: impl Fn(&mut Random) -> Setting) {
    let began = Instant::now();
    let mut random = Random::seeded();
    let number = if soak() { number * 10 } else { number };
    let (mut delivered, mut crashes, mut cuts) = (0, 0, 0);
    for _ in 0..number {
        let seed = random.number();
        let mut numbers = Random(seed);
        println!("world {seed}");
        let mut world = World::new(setting(&mut numbers));
        let mut choice = |below| numbers.below(below);
        for _ in 0..steps {
            world.step(&mut choice);
        }
        world.finish();
        delivered += world.delivered();
        crashes += world.counts.get("crashes").copied().unwrap_or_default();
        cuts += world.counts.get("cuts").copied().unwrap_or_default();
    }
    assert!(delivered > number && crashes > 0 && cuts > 0);
    record(what, began, format!("{number} worlds, {delivered} messages, {cuts} cuts, {crashes} crashes"));
}

fn options(random: &mut Random) -> Options {
    let mut options = Options::new(Uuid::nil());
    options.window = [64, 1, 2, 7, 40][random.below(5) as usize];
    options.acks = [AckRoute::Session, AckRoute::Connect][random.below(2) as usize];
    options.max_unsettled = [64, 1, 5][random.below(3) as usize];
    options
}

#[test]
fn messages_of_one_sequence_each_arrive_once_and_in_order() {
    worlds("msmq-session, one sequence each", 40, 4_000, |random| Setting {
        pipelined: false,
        options: options(random),
    });
}

#[test]
fn messages_that_follow_each_other_arrive_once_and_in_order() {
    worlds("msmq-session, pipelined", 40, 4_000, |random| Setting {
        pipelined: true,
        options: options(random),
    });
}

/// Faults at every `stride`th place of a short exchange.
fn sweep(what: &str, stride: u64, fault: impl Fn(&mut World, usize, u64)) {
    let began = Instant::now();
    let start = Random::seeded().below(stride);
    let mut faults = 0_u64;
    for pipelined in [false, true] {
        for host in 0..2 {
            for at in (start..).step_by(stride as usize) {
                let mut world = World::new(Setting { pipelined, options: Options::new(Uuid::nil()) });
                world.submit(3);
                fault(&mut world, host, at);
                world.finish();
                if !world.has_happened() {
                    break;
                }
                faults += 1;
            }
        }
    }
    assert!(faults > 40, "{faults}");
    record(what, began, format!("{faults} {what}"));
}

#[test]
fn a_connection_may_be_cut_at_every_byte() {
    let stride = if soak() { 1 } else { 11 };
    sweep("cuts of one connection", stride, |world, host, at| world.cut_after(host, at as usize + 1));
}

#[test]
fn either_side_may_crash_after_every_thing_it_does() {
    sweep("crashes of one host", 1, |world, host, at| world.crash_after(host, at));
}
