//! One comment on a pull or merge request, posted once and updated from then on.

use plumb_clouds::http::{Http, Options, Reply, Send, is_loopback};
use serde_json::{Value as Json, json};
use std::{fmt, time::Duration};

/// GitHub refuses bodies beyond 65,536 characters.
const MAX_BODY: usize = 60_000;
/// Pages of a hundred comments that are looked through.
const MAX_PAGES: usize = 50;

/// Where reviews are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// GitHub, in the cloud or one's own.
    Github,
    /// GitLab, in the cloud or one's own.
    Gitlab,
}

/// A request under review, and the right to comment on it. Debug does not show the token.
pub struct Review {
    host: Host,
    /// The collection the comments are in.
    list: String,
    /// Where one of them is: its id is appended.
    one: String,
    token: String,
}

impl fmt::Debug for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Review").field("list", &self.list).finish_non_exhaustive()
    }
}

/// What became of the comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// It is new.
    Created,
    /// It says something else now.
    Updated,
    /// It said so already.
    Unchanged,
}

/// Why there is no comment.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The surroundings do not say where or as whom.
    #[error("{0}")]
    Setting(String),
    /// Nobody answered.
    #[error(transparent)]
    Wire(#[from] plumb_clouds::http::Failure),
    /// The host refused.
    #[error("{method} {url}: the answer is {status} {message}{hint}")]
    Refused {
        /// The method.
        method: &'static str,
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the host said.
        message: String,
        /// What would be right.
        hint: &'static str,
    },
}

impl Review {
    /// Finds the request from the variables a pipeline has. `file` reads the event's file.
    ///
    /// # Errors
    /// A variable is missing or wrong; the message names it.
    pub fn find(
        host: Host,
        variable: &dyn Fn(&str) -> Option<String>,
        file: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ReviewError> {
        let get = |name: &str| variable(name).filter(|v| !v.is_empty());
        let need = |name: &str, what: &str| {
            get(name).ok_or_else(|| ReviewError::Setting(format!("--pr-comment needs {name}, {what}")))
        };
        let review = match host {
            Host::Github => {
                let api = get("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".into());
                let repository = need("GITHUB_REPOSITORY", "the repository as owner/name")?;
                let fits = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
                if repository.split('/').count() != 2 || !repository.chars().all(fits) {
                    return Err(ReviewError::Setting(format!("GITHUB_REPOSITORY is `{repository}`, not owner/name")));
                }
                let number = pull_number(&get, file).ok_or_else(|| {
                    let what = "no pull request: GITHUB_REF is not refs/pull/NUMBER/merge and the file at GITHUB_EVENT_PATH names none";
                    ReviewError::Setting(format!("--pr-comment: {what}"))
                })?;
                let issues = format!("{}/repos/{repository}/issues", api.trim_end_matches('/'));
                Self {
                    host,
                    list: format!("{issues}/{number}/comments"),
                    one: format!("{issues}/comments"),
                    token: need("GITHUB_TOKEN", "a token with `pull-requests: write`")?,
                }
            }
            Host::Gitlab => {
                let api = need("CI_API_V4_URL", "the address of the API")?;
                let project = need("CI_PROJECT_ID", "the project's number")?;
                let number = need("CI_MERGE_REQUEST_IID", "which a merge request pipeline has")?;
                if [&project, &number].iter().any(|n| !n.chars().all(|c| c.is_ascii_digit())) {
                    return Err(ReviewError::Setting("CI_PROJECT_ID and CI_MERGE_REQUEST_IID are numbers".into()));
                }
                let list = format!("{}/projects/{project}/merge_requests/{number}/notes", api.trim_end_matches('/'));
                Self { host, one: list.clone(), list, token: need("GITLAB_TOKEN", "a token with the scope `api`")? }
            }
        };
        if !(review.list.starts_with("https://") || is_loopback(&review.list)) {
            return Err(ReviewError::Setting(format!("a token is not sent to {} without TLS", review.list)));
        }
        Ok(review)
    }

    /// Posts the comment, or updates the one that `part` (what was checked) has already.
    ///
    /// # Errors
    /// The host cannot be reached, or refuses.
    pub async fn comment(&self, part: &str, markdown: &str) -> Result<Posted, ReviewError> {
        let http = Http::new(Options::from_variables(|name| std::env::var(name).ok()).unwrap_or_default());
        let marker = format!("<!-- plumb check: {} -->", part.replace("--", "- -").replace('>', ""));
        let body = format!("{marker}\n{}", shortened(markdown));
        for page in 1..=MAX_PAGES {
            let url = format!("{}?per_page=100&page={page}", self.list);
            let reply = self.ask(&http, "GET", &url, None).await?;
            // A page of a proxy is no empty list: every run would post once more.
            let comments: Vec<Json> = serde_json::from_slice(&reply.body)
                .map_err(|_| ReviewError::Setting(format!("GET {url}: the answer is no list of comments")))?;
            let text = |c: &Json| c.get("body").and_then(Json::as_str).unwrap_or_default().replace("\r\n", "\n");
            if let Some(mine) = comments.iter().find(|c| text(c).starts_with(&marker)) {
                if text(mine).trim_end() == body.trim_end() {
                    return Ok(Posted::Unchanged);
                }
                let id = mine.get("id").and_then(Json::as_u64).unwrap_or_default();
                let method = if self.host == Host::Github { "PATCH" } else { "PUT" };
                self.ask(&http, method, &format!("{}/{id}", self.one), Some(&body)).await?;
                return Ok(Posted::Updated);
            }
            if comments.len() < 100 {
                break;
            }
        }
        self.ask(&http, "POST", &self.list, Some(&body)).await?;
        Ok(Posted::Created)
    }

    async fn ask(
        &self,
        http: &Http,
        method: &'static str,
        url: &str,
        body: Option<&str>,
    ) -> Result<Reply, ReviewError> {
        let mut headers = vec![
            ("user-agent".to_owned(), concat!("plumb/", env!("CARGO_PKG_VERSION")).to_owned()),
            ("content-type".into(), "application/json".into()),
        ];
        match self.host {
            Host::Github => headers.extend([
                ("authorization".into(), format!("Bearer {}", self.token)),
                ("accept".into(), "application/vnd.github+json".into()),
                ("x-github-api-version".into(), "2022-11-28".into()),
            ]),
            Host::Gitlab => headers.push(("private-token".into(), self.token.clone())),
        }
        let body = body.map(|text| json!({ "body": text }).to_string().into_bytes()).unwrap_or_default();
        let send = Send { method: method.into(), url: url.into(), headers, body };
        let mut tries = 0;
        let reply = loop {
            let reply = http.exchange(&send).await?;
            // Creating twice would make two comments: only a refusal before work is tried again.
            if matches!(reply.status, 429 | 503) && tries < 3 {
                tries += 1;
                let wait = reply.header("retry-after").and_then(|s| s.parse().ok()).unwrap_or(1_u64);
                tokio::time::sleep(Duration::from_secs(wait.min(20))).await;
                continue;
            }
            break reply;
        };
        if (200..300).contains(&reply.status) {
            return Ok(reply);
        }
        let said: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
        let message = said.get("message").or_else(|| said.get("error")).map(ToString::to_string).unwrap_or_default();
        let hint = match (self.host, reply.status) {
            (Host::Github, 401..=404) => "; the token needs `pull-requests: write` on this repository",
            (Host::Gitlab, 401..=404) => "; the token needs the scope `api` on this project",
            _ => "",
        };
        let message = message.replace(&self.token, "(token)");
        Err(ReviewError::Refused { method, url: url.into(), status: reply.status, message, hint })
    }
}

/// The number from `refs/pull/12/merge`, else from the event that started the pipeline.
fn pull_number(get: &dyn Fn(&str) -> Option<String>, file: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let from_ref = |text: String| text.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok();
    if let Some(number) = get("GITHUB_REF").and_then(from_ref) {
        return Some(number);
    }
    let event: Json = serde_json::from_str(&file(&get("GITHUB_EVENT_PATH")?)?).ok()?;
    ["/pull_request/number", "/issue/number", "/number"].iter().find_map(|p| event.pointer(p)?.as_u64())
}

/// Whole lines up to what a comment can hold.
fn shortened(markdown: &str) -> String {
    if markdown.len() <= MAX_BODY {
        return markdown.to_owned();
    }
    let (mut out, mut whole, mut inside) = (String::new(), 0, false);
    for line in markdown.lines() {
        if out.len() + line.len() > MAX_BODY {
            break;
        }
        out.push_str(line);
        out.push('\n');
        // What is cut inside of something folded would swallow what follows.
        inside = (inside || line.starts_with("<details>")) && !line.starts_with("</details>");
        if !inside {
            whole = out.len();
        }
    }
    out.truncate(whole);
    out + "\nThe rest does not fit into a comment; the pipeline's log has it.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_comments_are_cut_between_lines_and_never_inside_a_fold() {
        assert_eq!(shortened("short"), "short");
        let rows = "| a row of a table |\n".repeat(2_000);
        let fold = format!("<details><summary>x</summary>\n\n```\n{}```\n</details>\n", "line\n".repeat(8_000));
        let cut = shortened(&format!("{rows}{fold}"));
        assert!(cut.len() < 65_000 && cut.starts_with(&rows) && !cut.contains("<details>"), "{}", cut.len());
        assert!(cut.ends_with("the pipeline's log has it.\n"));
    }
}
