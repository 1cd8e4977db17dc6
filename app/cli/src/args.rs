//! What the command line accepts, with the spellings practitioners know.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Find every cloud account, hold each against a baseline, keep the record.
#[derive(Debug, Parser)]
#[command(name = "plumb", version, propagate_version = true, max_term_width = 110, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done · 1 findings at or above --fail-on, or a check failed · 2 wrong usage · 3 done in part · 4 failed · 130 interrupted, resumable"
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Debug, Args)]
pub struct Globals {
    /// The record's file
    #[arg(long, global = true, env = "PLUMB_DB", value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// A folder of your own rule pages, kinds and frameworks, read after the bundled ones
    #[arg(long = "rules", global = true, env = "PLUMB_RULES", value_name = "DIR")]
    pub rules_dir: Option<PathBuf>,
    /// Parameters and settings (TOML); default plumb.toml where there is one
    #[arg(long, global = true, env = "PLUMB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to print; the default is text on a terminal and JSON in a pipe
    #[arg(long, short = 'F', global = true, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Print only what was asked for
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Who acts, by login; default the first line of ~/.config/plumbline/actor
    #[arg(long, global = true, env = "PLUMB_ACTOR", value_name = "LOGIN")]
    pub actor: Option<String>,
    /// The key that seals the activity log; default ~/.config/plumbline/seal.key, made on first use
    #[arg(long, global = true, env = "PLUMB_KEY", value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values
    Csv,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read accounts, judge them and put everything on the record
    Scan(ScanArgs),
    /// Say what a scan would call, with which permissions and at what pace, before anything is called
    Plan(PlanArgs),
    /// Print the least-privilege policy a scan needs
    Permissions(PermissionArgs),
    /// Print every verdict of a scan, pass included
    Verdicts(VerdictArgs),
    /// List findings, worst first
    Findings(crate::commands::transition::FindingsArgs),
    /// Explain a finding: rule, observed, expected, evidence, fix, history
    Why(WhyArgs),
    /// List, show, check or begin rules
    Rules(RulesArgs),
    /// Show a rule's page
    Explain(RuleArgs),
    /// List the accounts on the record
    Accounts(crate::commands::accounts::AccountsArgs),
    /// Show what was judged, and what could not be and why
    Coverage(CoverageArgs),
    /// Ask the record in SQL (views: findings, resources, coverages, accounts, scans, transitions)
    Query(QueryArgs),
    /// Write findings in another format
    Export(ExportArgs),
    /// Run the whole pipeline on a bundled organisation, offline
    Demo(DemoArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the version, and of what data
    Version,
    /// Decide whether somebody can do something, from the record or from policy files
    Can(crate::commands::identity::CanArgs),
    /// List everybody who can do something on a resource
    WhoCan(crate::commands::identity::WhoCanArgs),
    /// Analyse authorization details without a cloud: administrators, and who can become one by which steps
    Assess(crate::commands::identity::AssessArgs),
    /// List principals: use, keys, trusts, administrators and ways to become one
    Principals(crate::commands::identity::PrincipalArgs),
    /// Check policy documents: unknown actions, redundant statements, wide wildcards, public trust
    Lint(crate::commands::identity::LintArgs),
    /// Score signal levels, explain a finding's score, try another policy
    Score(crate::commands::score::ScoreArgs),
    /// Import exploitation feeds, show their age
    Feed(crate::commands::score::FeedArgs),
    /// Reconcile sources of accounts into one list
    Discover(crate::commands::estate::DiscoverArgs),
    /// Read and verify the activity log
    Audit(crate::commands::audit::AuditArgs),
    /// List and add the people who work on and decide about findings
    People(crate::commands::people::PeopleArgs),
    /// Make evidence bundles an auditor verifies alone
    Evidence(crate::commands::evidence::EvidenceArgs),
    /// Verify an evidence bundle; exit 1 naming what is broken
    Verify(crate::commands::evidence::VerifyArgs),
    /// Make a report: leadership, audit-pack, team or queue
    Report(crate::commands::report::ReportArgs),
    /// Hold the record against frameworks, control by control
    Frameworks(crate::commands::evidence::FrameworksArgs),
    /// Show what the programme promised and what is overdue
    Cadence(crate::commands::cadence::CadenceArgs),
    /// Ask for, decide, end and list exceptions, deferrals and false positives
    Exceptions(crate::commands::exceptions::ExceptionsArgs),
    /// Turn other tools' mute lists and baselines into requests, or restore a whole record
    Import(crate::commands::exceptions::ImportArgs),
    /// Show what can be reached from outside, with the proof
    Exposed(ExposedArgs),
    /// Show attack paths from outside to data and administration, and which edges to cut
    Paths(PathsArgs),
    /// Judge infrastructure as code before it is deployed
    Check(CheckArgs),
    /// Show what infrastructure as code declares
    Code(CodeArgs),
    /// Write, approve and put in force the standing baseline of each tier of accounts
    Baseline(crate::commands::baseline::BaselineArgs),
    /// Show what changed: since the last scan, from approved values, from the code that declares it
    Drift(crate::commands::drift::DriftArgs),
    /// Scan, then follow the activity log and judge again what changed
    Watch(WatchArgs),
    /// Show how much of each resource each principal reaches: read, write, admin; buckets by prefix
    Reach(crate::commands::identity::ReachArgs),
    /// The ledger of what can be reached from outside: ask, approve, renew, retire, compare
    Exposure(crate::commands::exposure::ExposureArgs),
    /// Access reviews: open, decide, verify, close
    Reviews(crate::commands::reviews::ReviewsArgs),
    /// How long everything is kept; legal holds; disposal with certificates
    Retention(crate::commands::retention::RetentionArgs),
}

/// Which rules.
#[derive(Debug, Args, Clone, Default)]
pub struct RuleFilter {
    /// Only these rules: our ids (`aws.s3.*`), or Prowler, Security Hub, Checkov, Trivy and `cis:` numbers
    #[arg(long = "check", visible_alias = "checks", value_name = "ID", num_args = 1.., value_delimiter = ',')]
    pub checks: Vec<String>,
    /// All but these rules
    #[arg(long = "skip-check", visible_alias = "excluded-check", value_name = "ID", num_args = 1.., value_delimiter = ',')]
    pub skip_checks: Vec<String>,
    /// Only rules of these services
    #[arg(long = "service", visible_alias = "services", value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    pub services: Vec<String>,
    /// Only rules of this severity or worse
    #[arg(long, value_name = "SEVERITY")]
    pub severity: Option<String>,
    /// Only rules these frameworks name or map to
    #[arg(long = "framework", visible_alias = "compliance", value_name = "ID", num_args = 1.., value_delimiter = ',')]
    pub frameworks: Vec<String>,
}

/// Where AWS is and who asks.
#[derive(Debug, Args, Clone)]
pub struct AwsArgs {
    /// Every account of the organisation
    #[arg(long)]
    pub org: bool,
    /// The role to enter the organisation's accounts through
    #[arg(long, value_name = "NAME", default_value = "OrganizationAccountAccessRole")]
    pub role: String,
    /// The external id the role asks for
    #[arg(long, value_name = "ID", env = "PLUMB_EXTERNAL_ID", hide_env_values = true)]
    pub external_id: Option<String>,
    /// A role to take on first (ARN)
    #[arg(long, value_name = "ARN")]
    pub assume_role: Option<String>,
    /// The profile to sign in with
    #[arg(long, short, value_name = "NAME")]
    pub profile: Option<String>,
    /// Only these accounts
    #[arg(long = "account", value_name = "ID", num_args = 1.., value_delimiter = ',')]
    pub accounts: Vec<String>,
    /// Only these regions
    #[arg(long = "region", short = 'f', visible_alias = "regions", value_name = "REGION", num_args = 1.., value_delimiter = ',')]
    pub regions: Vec<String>,
    /// The region of the first calls; default from the profile, else us-east-1
    #[arg(long, value_name = "REGION")]
    pub home_region: Option<String>,
    /// One address for every service
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// FIPS endpoints
    #[arg(long)]
    pub fips: bool,
    /// Share of the provider's published quotas to use at most; 0 means no limit of our own. Default 0.2, and no limit
    /// where the endpoint is on this machine (an emulator has no quotas)
    #[arg(long, value_name = "SHARE")]
    pub max_share: Option<f64>,
    /// Seconds a service in a region of an account may take
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub service_deadline: u64,
}

/// `plumb scan`
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// The provider
    #[arg(value_enum, default_value_t = Provider::Aws)]
    pub provider: Provider,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub aws: AwsArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rules: RuleFilter,
    /// Take up the last interrupted scan again
    #[arg(long)]
    pub resume: bool,
    /// Only accounts whose configuration is due to be pulled, by the cadence of their tiers (`plumb accounts pulls`)
    #[arg(long)]
    pub due: bool,
    /// Judge ages as of this instant
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<String>,
    /// Exit 1 when a finding of this severity or worse is open
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<String>,
    /// No progress line
    #[arg(long)]
    pub no_progress: bool,
    /// Accounts read at once
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub accounts_at_once: usize,
    /// Findings to print at the end
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
    /// Keep every answer in this file, for replaying
    #[arg(long, value_name = "FILE", hide = true)]
    pub record_answers: Option<PathBuf>,
    /// With --org: do not ask CloudTrail who signed in lately
    #[arg(long)]
    pub no_sign_ins: bool,
}

/// The providers that can be read live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// Amazon Web Services
    Aws,
}

/// `plumb watch`
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The provider
    #[arg(value_enum, default_value_t = Provider::Aws)]
    pub provider: Provider,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub aws: AwsArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rules: RuleFilter,
    /// Time between looks at the activity log: 90s, 5m, 1h
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub every: String,
    /// Time after which everything is read again
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub full_every: String,
    /// Stop after this many rounds; the first reads everything
    #[arg(long, value_name = "N")]
    pub rounds: Option<u64>,
    /// Accounts read at once
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub accounts_at_once: usize,
    /// No progress line
    #[arg(long)]
    pub no_progress: bool,
}

/// `plumb plan`
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The provider
    #[arg(value_enum, default_value_t = Provider::Aws)]
    pub provider: Provider,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub aws: AwsArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rules: RuleFilter,
    /// Do not sign in; plan for this many accounts
    #[arg(long, value_name = "N")]
    pub offline_accounts: Option<usize>,
    /// With --offline-accounts: regions per account
    #[arg(long, value_name = "N", default_value_t = 17)]
    pub offline_regions: usize,
}

/// `plumb permissions`
#[derive(Debug, Args)]
pub struct PermissionArgs {
    /// The provider
    #[arg(value_enum, default_value_t = Provider::Aws)]
    pub provider: Provider,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rules: RuleFilter,
    /// With what organisation mode needs in the account signed in to
    #[arg(long)]
    pub org: bool,
    /// As what
    #[arg(long = "as", value_enum, default_value_t = PolicyForm::Json)]
    pub form: PolicyForm,
    /// The name of the role in the Terraform and CloudFormation forms
    #[arg(long, default_value = "PlumblineReadOnly")]
    pub role_name: String,
}

/// Forms of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyForm {
    /// An IAM policy document
    Json,
    /// A Terraform configuration with the role
    Terraform,
    /// A CloudFormation template for a StackSet
    Stackset,
}

/// `plumb verdicts`
#[derive(Debug, Args)]
pub struct VerdictArgs {
    /// The scan; default the last
    #[arg(long, value_name = "N")]
    pub scan: Option<i64>,
    /// Only of this account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
}

/// `plumb findings`
#[derive(Debug, Args)]
pub struct FindingArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rules: RuleFilter,
    /// Only of this account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Only of this region
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Only in these states; default all that are not closed
    #[arg(long = "state", visible_alias = "status", value_name = "STATE", num_args = 1.., value_delimiter = ',')]
    pub states: Vec<String>,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// `plumb why`
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The finding: its id or the beginning of it
    pub finding: String,
    /// With the whole raw answer
    #[arg(long)]
    pub raw: bool,
}

/// `plumb explain`
#[derive(Debug, Args)]
pub struct RuleArgs {
    /// The rule: our id or an alias
    pub rule: String,
}

/// `plumb rules`
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// What to do with rules
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// List rules
    List {
        #[command(flatten)]
        #[allow(missing_docs)]
        rules: RuleFilter,
    },
    /// Show a rule's page
    Show {
        /// The rule: our id or an alias
        rule: String,
    },
    /// Type-check every page and run every example
    Check {
        /// A catalog folder to check in place of the bundled one
        dir: Option<PathBuf>,
    },
    /// Write the beginning of a new page
    New {
        /// Its id: `aws.sqs.queue.my-property`
        id: String,
        /// The folder of your own rules
        #[arg(long, default_value = "rules")]
        dir: PathBuf,
    },
}

/// `plumb coverage`
#[derive(Debug, Args)]
pub struct CoverageArgs {
    /// Only of this account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Only what is not covered completely
    #[arg(long)]
    pub gaps: bool,
}

/// `plumb query`
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// One SELECT statement
    pub sql: String,
}

/// `plumb export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The format
    #[arg(value_enum)]
    pub to: ExportFormat,
    /// Where to; default standard output
    #[arg(long, short, visible_alias = "out", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// With passing verdicts too (OCSF, ASFF, JSON, JSONL and CSV)
    #[arg(long)]
    pub with_pass: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rules: RuleFilter,
}

/// Formats findings can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values; formulas are neutralised
    Csv,
    /// OCSF 1.6 Compliance Finding (class 2003)
    Ocsf,
    /// AWS Security Finding Format
    Asff,
    /// Markdown
    Markdown,
    /// One self-contained HTML page
    Html,
    /// The whole record: every table as JSON lines and CSV, and the log, into an empty folder or a .zip
    Record,
    /// The signal stack of every open finding, for a vulnerability-prioritisation policy (JSON lines, `plumb.signals/1`)
    Signals,
    /// Assets, exposures, gaps, ranked findings and paths, for exposure management (JSON lines, `plumb.ctem/1`)
    Ctem,
}

/// `plumb demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Findings to print at the end
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,
    /// Judge ages as of this instant
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<String>,
}

/// `plumb exposed`
#[derive(Debug, Args)]
pub struct ExposedArgs {
    /// Only of this account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Only these classes: internet, internet-authenticated, limited, cross-account, internal, unknown
    #[arg(long = "class", value_name = "CLASS", num_args = 1.., value_delimiter = ',')]
    pub classes: Vec<String>,
    /// Only this resource, by id or name
    #[arg(long, value_name = "ID")]
    pub resource: Option<String>,
    /// Internal resources too
    #[arg(long)]
    pub all: bool,
    /// With every step of the proof (text; JSON always has them)
    #[arg(long)]
    pub explain: bool,
}

/// `plumb paths`
#[derive(Debug, Args)]
pub struct PathsArgs {
    /// Only of this account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// With every step and its evidence (text; JSON always has them)
    #[arg(long)]
    pub explain: bool,
    /// Draw the path of each family instead; `--format svg` and `--format dot` say the same
    #[arg(long, value_enum, value_name = "HOW")]
    pub draw: Option<Drawing>,
}

/// How paths are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Drawing {
    /// Graphviz
    Dot,
    /// A picture
    Svg,
}

/// What code to read.
#[derive(Debug, Args, Clone)]
pub struct CodeInput {
    /// A folder, or one file: Terraform, a plan or state (`terraform show -json`), CloudFormation, ARM, Bicep; `-` reads a plan from standard input
    #[arg(default_value = ".")]
    pub path: String,
    /// A Terraform variable
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// A file of Terraform variables
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<String>,
}

/// `plumb check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub input: CodeInput,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rules: RuleFilter,
    /// Every verdict, passes too
    #[arg(long)]
    pub all: bool,
    /// Print for another tool; `--format sarif` says the same
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    pub form: Option<CheckForm>,
    /// Exit 1 only when a finding is of this severity or worse; default low
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<String>,
    /// One line a finding
    #[arg(long)]
    pub compact: bool,
    /// Show the page's fix instead of the changed lines that were judged to pass
    #[arg(long)]
    pub no_patches: bool,
    /// Do not apply comments that ask to skip rules
    #[arg(long)]
    pub ignore_inline: bool,
    /// Leave out the findings this file lists
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write the findings there are to this file, to leave them out from now on
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub create_baseline: Option<PathBuf>,
    /// Only findings that this commit, branch or tag does not have
    #[arg(long, value_name = "REF")]
    pub new_since: Option<String>,
    /// Judge ages as of this instant
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<String>,
    /// Write the smallest change where it is safe and local, and judge what is left
    #[arg(long)]
    pub fix: bool,
    /// Show that change as a unified diff; without --fix nothing is written
    #[arg(long)]
    pub diff: bool,
    /// Post the result as one comment on the pull or merge request, or update it
    #[arg(long, value_enum, value_name = "HOST")]
    pub pr_comment: Option<ReviewHost>,
    /// Put the skips found in comments on the record as exception requests, and the places of findings for tickets of live ones
    #[arg(long)]
    pub record: bool,
    /// Name the open findings of the record that are the same thing, deployed
    #[arg(long)]
    pub live: bool,
}

/// Where a comment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReviewHost {
    /// GitHub: GITHUB_TOKEN, GITHUB_REPOSITORY, GITHUB_REF (or GITHUB_EVENT_PATH), GITHUB_API_URL
    Github,
    /// GitLab: GITLAB_TOKEN, CI_API_V4_URL, CI_PROJECT_ID, CI_MERGE_REQUEST_IID
    Gitlab,
}

/// Formats of `plumb check` for other tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckForm {
    /// SARIF 2.1.0 (GitHub code scanning and most others)
    Sarif,
    /// JUnit XML
    Junit,
    /// GitHub workflow annotations
    Github,
    /// GitLab code quality
    Gitlab,
    /// Markdown, for a comment on a pull request
    Markdown,
}

/// `plumb code`
#[derive(Debug, Args)]
pub struct CodeArgs {
    /// What to do with code
    #[command(subcommand)]
    pub command: CodeCommand,
}

/// What to do with code.
#[derive(Debug, Subcommand)]
pub enum CodeCommand {
    /// Print the evaluated resources: address, values, what is not known and why, places
    Show {
        #[command(flatten)]
        #[allow(missing_docs)]
        input: CodeInput,
    },
}
