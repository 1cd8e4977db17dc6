//! How many entries a second the activity log appends and verifies: `cargo run --release -p plumb-govern --example log_speed`.

use plumb_govern::log::{Event, Head, Keys, Log, SealKey, verify};
use plumb_govern::people::Actor;
use plumb_model::Time;

fn main() {
    let key = SealKey::from_seed(&[7; 32]);
    let n = 300_000u32;
    let change = serde_json::json!({ "from": "open", "to": "triaged", "owner": "team-shop" });
    let events: Vec<_> = (0..n)
        .map(|i| {
            let id = format!("{i:064x}");
            Event::done(
                &Actor::system("scanner"),
                "finding.transition",
                ("finding", &id),
                change.clone(),
                Time::from_seconds(1_800_000_000),
            )
        })
        .collect();
    let mut log = Log::default();
    let clock = std::time::Instant::now();
    let mut points = Vec::new();
    let entries: Vec<_> = events
        .into_iter()
        .map(|e| {
            let sealed = log.append(e);
            if log.size() % 1_000 == 0 {
                points.push(log.checkpoint("plumbline/speed", &[&key], Time::from_seconds(1_800_000_000)));
            }
            sealed
        })
        .collect();
    let seconds = clock.elapsed().as_secs_f64();
    println!("append: {:.0} entries/s, {} bytes each", f64::from(n) / seconds, entries[0].bytes.len());
    let clock = std::time::Instant::now();
    let report = verify(&Head::empty(), entries, &points, Keys::trusted([key.public()]), Some(&log.head()));
    let seconds = clock.elapsed().as_secs_f64();
    println!("verify: {:.0} entries/s, {:?}", f64::from(n) / seconds, report.map(|r| (r.entries, r.checkpoints)));
}
