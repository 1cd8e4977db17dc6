//! The border every collector stands at: a call, a place, a stream of answers.

use crate::Answer;
use plumb_model::{AccountId, Region};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{future::Future, pin::Pin, sync::Arc};

/// One question: an operation of a service, with what the caller knows about its answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The service as the models name it: `elbv2`, `logs`, `s3control`.
    pub service: Arc<str>,
    /// The operation: `DescribeLoadBalancers`.
    pub operation: Arc<str>,
    /// The input, in the model's member names; null or an object.
    pub params: Value,
    /// Error codes that mean "not configured" for this call: `NoSuchBucketPolicy`.
    #[serde(default)]
    pub absent: Vec<Arc<str>>,
    /// Error codes that mean "deleted meanwhile" for this call: `NoSuchBucket`.
    #[serde(default)]
    pub gone: Vec<Arc<str>>,
    /// Items a page, where the operation can be told; the provider's own default otherwise.
    #[serde(default)]
    pub page_size: Option<u32>,
    /// Pages to read at most; there being more is [`Answer::Truncated`].
    #[serde(default)]
    pub max_pages: Option<u32>,
}

impl Call {
    /// A call with an input and no declared error codes.
    pub fn new(service: &str, operation: &str, params: Value) -> Self {
        Self {
            service: service.into(),
            operation: operation.into(),
            params,
            absent: Vec::new(),
            gone: Vec::new(),
            page_size: None,
            max_pages: None,
        }
    }

    /// The call as kinds and coverage write it: `sqs:ListQueues`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }
}

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The account; the wire knows its credentials.
    pub account: AccountId,
    /// The region; [`Region::global`] for a service that the provider keeps once per account.
    pub region: Region,
}

impl Target {
    /// A place by account and region.
    pub fn new(account: &str, region: &str) -> Self {
        Self { account: account.into(), region: region.into() }
    }
}

/// A future that can be kept in a struct and sent between threads.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Whoever answers calls.
pub trait Wire: Send + Sync {
    /// The answers to a call, page by page. Nothing is sent before the first is asked for.
    fn pages<'a>(&'a self, target: &Target, call: &Call) -> Pages<'a>;

    /// The first answer to a call: the whole one when the operation is not paged.
    fn send<'a>(&'a self, target: &Target, call: &Call) -> Boxed<'a, Answer> {
        let mut pages = self.pages(target, call);
        let name = call.name();
        Box::pin(async move {
            let first = pages.next().await;
            first.unwrap_or_else(|| Answer::broken("no answer", format!("{name} ended before its first answer")))
        })
    }

    /// Every page of a call, and what stopped it if that was not the last page.
    fn all<'a>(&'a self, target: &Target, call: &Call) -> Boxed<'a, (Vec<Value>, Option<Answer>)> {
        let mut pages = self.pages(target, call);
        Box::pin(async move {
            let mut read = Vec::new();
            while let Some(answer) = pages.next().await {
                match answer {
                    Answer::Page { page } => read.push(page),
                    other => return (read, Some(other)),
                }
            }
            (read, None)
        })
    }
}

impl<W: Wire + ?Sized> Wire for &W {
    fn pages<'a>(&'a self, target: &Target, call: &Call) -> Pages<'a> {
        (**self).pages(target, call)
    }

    fn send<'a>(&'a self, target: &Target, call: &Call) -> Boxed<'a, Answer> {
        (**self).send(target, call)
    }
}

/// What a wire implements to answer one call.
pub trait PageSource: Send {
    /// The next answer; `None` after the last page or after any answer that is not a page.
    fn next(&mut self) -> Boxed<'_, Option<Answer>>;
}

/// The answers to one call, in order.
pub struct Pages<'a> {
    source: Box<dyn PageSource + 'a>,
    ended: bool,
}

impl<'a> Pages<'a> {
    /// A stream over a source.
    pub fn new(source: impl PageSource + 'a) -> Self {
        Self { source: Box::new(source), ended: false }
    }

    /// The next answer. Any answer but a page is the last one.
    pub async fn next(&mut self) -> Option<Answer> {
        if self.ended {
            return None;
        }
        let answer = self.source.next().await;
        self.ended = !matches!(answer, Some(Answer::Page { .. }));
        answer
    }
}
