//! Ratios of two pieces of work, measured in one run.

use std::time::{Duration, Instant};

const ROUNDS: usize = 41;

/// Times of `ours` and `reference` in turn, so that a machine that changes its speed changes both; prints the
/// median ratio beside the goal. Returns the ratio.
pub fn ratio(name: &str, goal: f64, mut ours: impl FnMut(), mut reference: impl FnMut()) -> f64 {
    let times = calibrate(&mut ours).max(calibrate(&mut reference));
    let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (x, y) = (run(&mut ours, times), run(&mut reference, times));
        ratios.push(x / y);
        a.push(x / times as f64);
        b.push(y / times as f64);
    }
    let ratio = median(&mut ratios);
    print(name, goal, median(&mut a), median(&mut b), ratio);
    ratio
}

/// As [`ratio`], to a reference that was measured by itself: nanoseconds for each time.
pub fn ratio_to(name: &str, goal: f64, mut ours: impl FnMut(), reference: f64) -> f64 {
    let times = calibrate(&mut ours);
    let mut a: Vec<_> = (0..ROUNDS).map(|_| run(&mut ours, times) / f64::from(times)).collect();
    let ours = median(&mut a);
    print(name, goal, ours, reference, ours / reference);
    ours / reference
}

fn print(name: &str, goal: f64, ours: f64, reference: f64, ratio: f64) {
    let verdict = if ratio <= goal { "met" } else { "MISSED" };
    let (ours, reference) = (nanos(ours), nanos(reference));
    // What is a thousand times faster would be shown as 0.
    let digits = if goal < 0.1 { 5 } else { 2 };
    println!("{name:<52} {ours:>12} {reference:>12} {ratio:>7.digits$}  goal {goal:.digits$} {verdict}");
}

/// Prints the heading of the lines that [`ratio`] prints.
pub fn heading(group: &str) {
    println!("\n{group:<52} {:>12} {:>12} {:>7}", "ours", "reference", "ratio");
}

/// Repetitions that take about five milliseconds.
fn calibrate(work: &mut impl FnMut()) -> u32 {
    let mut times = 1;
    while run(work, times) < Duration::from_millis(5).as_secs_f64() * 1e9 && times < 1 << 24 {
        times *= 2;
    }
    times
}

fn run(work: &mut impl FnMut(), times: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..times {
        work();
    }
    start.elapsed().as_secs_f64() * 1e9
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn nanos(value: f64) -> String {
    if value < 1e4 { format!("{value:.1} ns") } else { format!("{:.1} us", value / 1e3) }
}
