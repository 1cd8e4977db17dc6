//! Paging by the model.

use super::{client::Client, model::at};
use crate::{Answer, Call, PageSource, Target, wire::Boxed};
use serde_json::{Map, Value};

/// Members by which an answer without a known pagination tells that it is not all.
const MORE_FLAGS: &[&str] = &["IsTruncated", "isTruncated", "HasMoreResults"];
const MORE_TOKENS: &[&str] = &["NextToken", "nextToken", "NextMarker", "nextMarker"];

/// The pages of one call.
pub(super) struct ModelPages<'a> {
    client: &'a Client,
    target: Target,
    call: Call,
    read: u32,
    last: Option<Vec<Value>>,
    then: Then,
}

/// What to do at the next step.
enum Then {
    Ask,
    Say(Answer),
    End,
}

impl<'a> ModelPages<'a> {
    pub fn new(client: &'a Client, target: &Target, call: &Call) -> Self {
        Self { client, target: target.clone(), call: call.clone(), read: 0, last: None, then: Then::Ask }
    }

    async fn step(&mut self) -> Option<Answer> {
        match std::mem::replace(&mut self.then, Then::End) {
            Then::End => return None,
            Then::Say(answer) => return Some(answer),
            Then::Ask => {}
        }
        let page = super::paginator(&self.call.service, &self.call.operation);
        if self.read == 0
            && let (Some(limit), Some(size)) = (page.and_then(|page| page.limit.as_deref()), self.call.page_size)
            && let Some(params) = object(&mut self.call.params)
        {
            params.entry(limit.to_owned()).or_insert_with(|| Value::from(size));
        }
        let answer = self.client.exchange(&self.target, &self.call).await;
        let Answer::Page { page: document } = &answer else {
            // A list that breaks off in the middle is a truncated list, unless the reason says more.
            return Some(match answer {
                Answer::Broken { code, message } if self.read > 0 => {
                    Answer::Truncated { message: format!("after {} pages: {code}: {message}", self.read) }
                }
                answer => answer,
            });
        };
        self.read += 1;
        self.then = match page {
            Some(page) => self.after(page, document),
            None if tells_of_more(document) => Then::Say(Answer::Truncated {
                message: format!(
                    "{} says there is more, and its model does not say how to ask for it",
                    self.call.name()
                ),
            }),
            None => Then::End,
        };
        Some(answer)
    }

    fn after(&mut self, page: &super::Paginator, document: &Value) -> Then {
        let tokens: Vec<Value> =
            page.output.iter().map(|path| at(document, path).cloned().unwrap_or(Value::Null)).collect();
        let flag = page.more.as_deref().map(|path| at(document, path).and_then(Value::as_bool).unwrap_or(false));
        let token = tokens.iter().any(|token| !matches!(token, Value::Null) && token.as_str() != Some(""));
        match (flag, token) {
            (Some(false), _) | (None, false) => return Then::End,
            (Some(true), false) => {
                let message = "the answer says there is more but carries no token to ask for it".into();
                return Then::Say(Answer::Truncated { message });
            }
            _ => {}
        }
        if self.last.as_ref() == Some(&tokens) {
            let message = format!("the provider repeated its page token after {} pages", self.read);
            return Then::Say(Answer::Truncated { message });
        }
        if self.call.max_pages.is_some_and(|most| self.read >= most) {
            let message = format!("the limit of {} pages was reached and there is more", self.read);
            return Then::Say(Answer::Truncated { message });
        }
        let Some(params) = object(&mut self.call.params) else { return Then::End };
        for (name, token) in page.input.iter().zip(&tokens) {
            if token.is_null() {
                params.remove(name);
            } else {
                params.insert(name.clone(), token.clone());
            }
        }
        self.last = Some(tokens);
        Then::Ask
    }
}

impl PageSource for ModelPages<'_> {
    fn next(&mut self) -> Boxed<'_, Option<Answer>> {
        Box::pin(self.step())
    }
}

fn tells_of_more(document: &Value) -> bool {
    let flagged = |name: &&str| document.get(*name).and_then(Value::as_bool).unwrap_or(false);
    let token = |name: &&str| document.get(*name).and_then(Value::as_str).is_some_and(|token| !token.is_empty());
    MORE_FLAGS.iter().any(flagged) || MORE_TOKENS.iter().any(token)
}

/// The members of the input, if it is or can become an object; anything else is refused when the request is written.
fn object(params: &mut Value) -> Option<&mut Map<String, Value>> {
    if params.is_null() {
        *params = Value::Object(Map::new());
    }
    params.as_object_mut()
}
