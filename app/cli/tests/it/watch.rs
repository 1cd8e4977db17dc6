//! Changes made while `plumb watch` runs are judged in the round after (D29, B52).

use crate::emulator::{Emulator, python};
use serde_json::Value as Json;
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

/// Makes a queue public, then takes that back, while watching; part of the emulator's test, whose organisation it uses.
pub fn a_change_is_judged_in_the_next_round(emulator: &Emulator) {
    let mut child = emulator
        .command(
            "whole.db",
            &["watch", "aws", "--org", "--max-share", "0", "--every", "1s", "--rounds", "30", "--format", "jsonl"],
        )
        .args(["--check", "aws.sqs.queue.not-public", "--region", "eu-west-1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("plumb runs");
    let rows = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut rows = rows.map(|line| serde_json::from_str::<Json>(&line.expect("a line")).expect("JSON"));
    let mut rows = rows.by_ref().filter(|row| row["round"].is_u64());
    assert_eq!(rows.next().expect("a first round")["kind"], "full");
    let change = |policy: &str| {
        let script = format!(
            "import boto3\nq = boto3.client('sqs', region_name='eu-west-1')\nu = q.create_queue(QueueName='watched')['QueueUrl']\n\
             q.set_queue_attributes(QueueUrl=u, Attributes={{'Policy': '{policy}'}})"
        );
        let made = Command::new(python().expect("the environment"))
            .args(["-c", &script])
            .env("AWS_ENDPOINT_URL", &emulator.endpoint)
            .env("AWS_ACCESS_KEY_ID", &emulator.id)
            .env("AWS_SECRET_ACCESS_KEY", &emulator.secret)
            .output()
            .expect("the change runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    // Quiet rounds may come first; a change never waits longer than the round after it.
    let mut until = |what: &str| rows.by_ref().take(12).any(|row| row["findings"][what] == 1);
    let public = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}]}"#;
    change(public);
    assert!(until("new"), "the public queue opened no finding");
    change("");
    assert!(until("fixed"), "taking the policy away closed nothing");
    child.kill().expect("it ends");
    child.wait().expect("it ended");
}
