//! Recording and replaying.

use crate::server::{Say, Server};
use plumb_clouds::{
    Answer, Budgets, Call, Share, Target, Wire,
    aws::{Client, Config, Endpoints, Session},
    replay::{Entry, Recorder, Replay},
};
use serde_json::json;
use std::sync::Arc;

fn here() -> Target {
    Target::new("123456789012", "eu-west-1")
}

#[tokio::test]
async fn what_was_recorded_is_what_is_replayed() {
    let server = Server::start(|_, request| {
        if request.header("x-amz-target").ends_with("ListKeys") {
            return Say::error(400, r#"{"__type":"AccessDeniedException","message":"no"}"#);
        }
        match request.body.contains("NextToken") {
            false => Say::ok(r#"{"QueueUrls":["a"],"NextToken":"t"}"#),
            true => Say::ok(r#"{"QueueUrls":["b"]}"#),
        }
    })
    .await;
    let client = Client::new(Config {
        endpoints: Endpoints { everywhere: Some(server.url.clone()), ..Endpoints::default() },
        budgets: Arc::new(Budgets::new(Share::Unlimited, 1)),
        ..Config::default()
    })
    .expect("the committed table");
    client.enter("123456789012".into(), Session::fixed("id", "secret", None), "eu-west-1");
    let recorder = Recorder::new(client);
    let list = Call { page_size: Some(1), ..Call::new("sqs", "ListQueues", json!({"QueueNamePrefix": "x"})) };
    let denied = Call::new("kms", "ListKeys", json!(null));
    let live = (recorder.all(&here(), &list).await, recorder.send(&here(), &denied).await);
    // Only half read, so not kept.
    let _ = recorder.pages(&here(), &Call::new("sqs", "ListQueues", json!({}))).next().await;

    let replay = Replay::read(&recorder.recording().expect("in memory")).expect("own recording");
    assert_eq!(replay.len(), 2);
    let list = Call { page_size: None, ..list };
    assert_eq!((replay.all(&here(), &list).await, replay.send(&here(), &denied).await), live);
    assert_eq!(live.0.0.len(), 2);
    // The same recording twice is the same bytes.
    assert_eq!(recorder.recording().expect("in memory"), recorder.recording().expect("in memory"));
}

#[tokio::test]
async fn what_nobody_recorded_is_an_error() {
    let entry = |params| Entry {
        account: "123456789012".into(),
        region: "eu-west-1".into(),
        service: "sqs".into(),
        operation: "ListQueues".into(),
        params,
        pages: vec![json!({"QueueUrls": []}), json!({"QueueUrls": ["a"]})],
        end: None,
    };
    let replay = Replay::new([entry(json!({"b": 1, "a": [true, null]}))]);
    let same = Call::new("sqs", "ListQueues", json!({"a": [true, null], "b": 1}));
    assert_eq!(replay.all(&here(), &same).await.1, None);
    let capped = Call { max_pages: Some(1), ..same.clone() };
    let (pages, end) = replay.all(&here(), &capped).await;
    assert!(pages.len() == 1 && matches!(end, Some(Answer::Truncated { .. })));
    for (target, call) in [
        (here(), Call::new("sqs", "ListQueues", json!({}))),
        (here(), Call::new("sqs", "ListQueueTags", json!({"a": [true, null], "b": 1}))),
        (Target::new("123456789012", "eu-west-2"), same),
    ] {
        let answer = replay.send(&target, &call).await;
        assert!(matches!(&answer, Answer::Broken { code, .. } if code == "not recorded"), "{answer:?}");
    }
}

#[test]
fn a_damaged_recording_says_where() {
    let error =
        Replay::read(b"{\"account\":\"1\",\"region\":\"r\",\"service\":\"s\",\"operation\":\"o\"}\n\nnonsense\n");
    assert_eq!(error.expect_err("nonsense").to_string(), "line 3 of the recording is not a recorded call");
}
