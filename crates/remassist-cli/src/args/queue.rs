//! The command line of `remassist queue`.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use comqc_msmq::Place;
use comqc_msmq::msmq::Network;
use comqc_msmq::session::{MessageId, QueueMoniker};
use remassist::core::Secret;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Put messages of queued calls into a queue.
    ///
    /// Ends with status 0 once all of them are on disk there. To queues of other machines, they are sent from an outbox on this one:
    /// status 3 when some are still in there after the wait, 4 when the other machine does not take one.
    Send(SendArgs),
    /// Make a message of a list of calls, and write it into a file or send it.
    Record(RecordArgs),
    /// Take messages out of a queue.
    ///
    /// A message is taken out only once its body is written and synced; one that was not comes again.
    /// Exit status 3 when there was none.
    Receive(ReceiveArgs),
    /// Take messages that other machines send by MSMQ, bring those on their way to others there, and play what comes.
    ///
    /// A message is acknowledged once it is on disk in its queue. Ctrl-C and SIGTERM end it after the messages in hand.
    Serve(Box<ServeArgs>),
    /// Play messages: hand their calls to a program, as JSON on its standard input.
    ///
    /// The program does a call and ends with status 0; anything else is a failure, and the message comes again: three times, then after
    /// each wait, then never. Ctrl-C and SIGTERM end it after the message in hand.
    /// Exit status 3 when it ends, as with --once, and messages have failed.
    Play(PlayArgs),
    /// List the messages of a queue.
    List(ListArgs),
    /// Print what a message says, with the arguments of its calls.
    Show(ShowArgs),
    /// Move messages to another place in the queue, or into another queue.
    Move(MoveArgs),
    /// Let messages be played again: those that are dead, or wait for their next round.
    Requeue(RequeueArgs),
    /// Remove messages for good.
    Purge(PurgeArgs),
    /// Count messages.
    Stats(StatsArgs),
}

/// Which queue.
#[derive(Debug, Args)]
pub struct QueueUrl {
    /// The queue: sqlite:FILE?queue=NAME, amqp://USER:PASSWORD@HOST/VHOST?queue=NAME, or of a Windows machine
    /// 'DIRECT=OS:HOST\private$\NAME' or 'DIRECT=TCP:ADDRESS\private$\NAME', of which this machine has what is on its way there.
    #[arg(long = "queue", value_name = "URL", value_parser = secret, env = "REMASSIST_QUEUE", hide_env_values = true)]
    pub url: Secret<String>,
    #[command(flatten)]
    pub outbox: OutboxArg,
}

/// Where messages to other machines are until they are there.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Queues of other machines")]
pub struct OutboxArg {
    /// The file with the messages that are on their way; outbox.db in the user's directory for state when left out.
    #[arg(long, value_name = "FILE", env = "REMASSIST_OUTBOX")]
    pub outbox: Option<PathBuf>,
    /// For a queue that is not transactional. Those of COM+ are, as long as nobody has changed it.
    #[arg(long)]
    pub not_transactional: bool,
    /// Send further messages before the first is acknowledged.
    #[arg(long, conflicts_with = "not_transactional")]
    pub pipelined: bool,
}

/// Never fails: a failure would be told with the password that a URL may hold.
fn secret(text: &str) -> Result<Secret<String>, Infallible> {
    Ok(Secret::new(text.to_owned()))
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Printed {
    /// Print JSON, one object in a line, as where the output is no terminal.
    #[arg(long)]
    pub json: bool,
    /// Print for people, as on a terminal.
    #[arg(long, conflicts_with = "json")]
    pub table: bool,
}

/// What goes along with a message.
#[derive(Debug, Args)]
#[command(next_help_heading = "Properties of the message")]
pub struct PropertyArgs {
    /// Properties as COM+ takes them: queue:Label=..,Priority=..,MaxTimeToReceive=..,Journal=../new:CLSID. What it says of the
    /// queue's place is not used; options that are given beside it go first.
    #[arg(long, value_name = "MONIKER")]
    pub moniker: Option<QueueMoniker>,
    /// A text for people, at most 249 characters.
    #[arg(long)]
    pub label: Option<String>,
    /// 0 to 7, 3 when left out: higher ones are received first.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=7))]
    pub priority: Option<u8>,
    /// How long it may wait until it is received: 90s, 15m, 48h.
    #[arg(long, value_name = "TIME", value_parser = wait)]
    pub expires: Option<Duration>,
    /// Keep a copy in the journal when it was received.
    #[arg(long)]
    pub journal: bool,
    /// Keep it as a dead message when its time is over.
    #[arg(long)]
    pub dead_letter: bool,
    /// A number for the application.
    #[arg(long, value_name = "NUMBER")]
    pub application_tag: Option<u32>,
    /// Identifier of the message that it answers: {GUID}\NUMBER.
    #[arg(long, value_name = "ID")]
    pub correlation: Option<MessageId>,
    /// Format name of the queue for answers.
    #[arg(long, value_name = "FORMAT-NAME")]
    pub response_queue: Option<String>,
}

/// How messages get to other machines.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Queues of other machines")]
pub struct DeliveryArgs {
    /// The port that other machines listen on.
    #[arg(long, value_name = "PORT", default_value_t = 1801, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// How long to wait until the messages are there; 0s leaves them in the outbox for another `queue send` or `queue serve`.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = wait)]
    pub wait: Duration,
}

#[derive(Debug, Args)]
pub struct SendArgs {
    #[command(flatten)]
    pub queue: QueueUrl,
    #[command(flatten)]
    pub delivery: DeliveryArgs,
    #[command(flatten)]
    pub properties: PropertyArgs,
    /// Send what is no message of queued calls, or breaks a rule of them: players will put it into the dead queue.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub printed: Printed,
    /// The bodies, or - for standard input.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The queue to send it to; see `send`.
    #[arg(long = "queue", value_name = "URL", value_parser = secret, env = "REMASSIST_QUEUE", hide_env_values = true)]
    pub url: Option<Secret<String>>,
    #[command(flatten)]
    pub outbox: OutboxArg,
    #[command(flatten)]
    pub delivery: DeliveryArgs,
    #[command(flatten)]
    pub properties: PropertyArgs,
    /// Write the body into this file, or - for standard output.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print an example of a list of calls.
    #[arg(long, conflicts_with = "calls")]
    pub example: bool,
    #[command(flatten)]
    pub printed: Printed,
    /// The list of calls, or - for standard input.
    #[arg(required_unless_present = "example")]
    pub calls: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ReceiveArgs {
    #[command(flatten)]
    pub queue: QueueUrl,
    /// Write each body into a file of its own in this directory; without it, one body goes to standard output.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub most: u64,
    /// How long to wait for each.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u64,
    #[command(flatten)]
    pub printed: Printed,
}

#[derive(Debug, Args)]
pub struct PlayArgs {
    #[command(flatten)]
    pub queue: QueueUrl,
    /// The command that does a call; the shell runs it.
    #[arg(long, value_name = "COMMAND")]
    pub exec: String,
    /// Class that is played, of a partition when one is told; messages for others go to the dead queue.
    #[arg(long = "class", value_name = "CLSID[@PARTITION]", required = true, value_parser = class)]
    pub classes: Vec<Class>,
    #[command(flatten)]
    pub player: PlayerArgs,
    /// End when no message is due any more.
    #[arg(long)]
    pub once: bool,
    #[command(flatten)]
    pub printed: Printed,
}

/// What is played, and how.
#[derive(Debug, Args)]
pub struct PlayerArgs {
    /// Run it once for each message, with all calls: they succeed or fail together. Otherwise, once for each call, and calls that
    /// succeeded are played again when a later one of their message fails.
    #[arg(long)]
    pub per_message: bool,
    /// The command that has a last try at what has failed in every round.
    #[arg(long, value_name = "COMMAND")]
    pub exec_final: Option<String>,
    /// Interfaces, as a list of calls has them: they name the arguments.
    #[arg(long, value_name = "FILE")]
    pub interfaces: Vec<PathBuf>,
    /// Play only what the transport has proven to come from this account: a SID.
    #[arg(long, value_name = "SID")]
    pub require_sender: Vec<String>,
    /// How long failed messages wait before each further round.
    #[arg(long, value_name = "TIMES", value_delimiter = ',', value_parser = wait, default_value = "1m,2m,4m,8m,16m")]
    pub waits: Vec<Duration>,
    /// Tries in each round.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub tries: u32,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// An address to listen on, with its port where that is not 1801. MSMQ proves nothing about who sends: as few as possible.
    #[arg(long, value_name = "ADDRESS", required = true, value_parser = listening)]
    pub listen: Vec<SocketAddr>,
    /// Who may send: an address, or a network as 10.0.0.0/8. This machine when left out, where it listens to no other.
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    pub allow: Vec<Network>,
    /// A queue for what comes, and its name for senders where it is another one: sqlite:FILE?queue=NAME=private$\NAME.
    #[arg(long = "queue", value_name = "URL", required = true, value_parser = secret)]
    pub queues: Vec<Secret<String>>,
    /// The file with messages on their way to other machines, and with the notes on what has come; outbox.db in the user's directory
    /// for state when left out.
    #[arg(long, value_name = "FILE", env = "REMASSIST_OUTBOX")]
    pub outbox: Option<PathBuf>,
    /// The queues take messages that are not transactional, and no others.
    #[arg(long)]
    pub not_transactional: bool,
    /// Which way to acknowledge: over the session that a message came on, or by connecting to its sender, as Windows does.
    #[arg(long, value_enum, default_value_t)]
    pub acks: Acks,
    /// The port that other machines listen on.
    #[arg(long, value_name = "PORT", default_value_t = 1801, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// The command that does a call, as `queue play` has it; without it, messages are only kept.
    #[arg(long, value_name = "COMMAND", requires = "classes")]
    pub exec: Option<String>,
    /// Class that is played, of a partition when one is told; messages for others go to the dead queue.
    #[arg(long = "class", value_name = "CLSID[@PARTITION]", requires = "exec", value_parser = class)]
    pub classes: Vec<Class>,
    #[command(flatten)]
    pub player: PlayerArgs,
    #[command(flatten)]
    pub printed: Printed,
}

/// Which way acknowledgements go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Acks {
    /// Over the session that the message came on.
    #[default]
    Session,
    /// By a connection of their own.
    Connect,
}

fn listening(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 1801)));
    address.map_err(|_| "an address is needed, as 192.168.1.5, 192.168.1.5:1801 or [::1]:1801".to_owned())
}

fn network(text: &str) -> Result<Network, String> {
    text.parse().map_err(|_| "an address or a network is needed, as 192.168.1.5 or 192.168.1.0/24".to_owned())
}

/// A class that is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    pub id: Uuid,
    pub partition: Option<Uuid>,
}

fn class(text: &str) -> Result<Class, String> {
    let (id, partition) = text.split_once('@').map_or((text, None), |(id, partition)| (id, Some(partition)));
    let guid = |text: &str| Uuid::try_parse(text).map_err(|_| format!("{text:?} is no GUID"));
    Ok(Class { id: guid(id)?, partition: partition.map(guid).transpose()? })
}

/// A length of time with its unit: `250ms`, `90s`, `15m`, `48h`, `7d`.
fn wait(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    let number = number.parse::<u64>().ok().filter(|_| millis > 0);
    let length = number.and_then(|number| number.checked_mul(millis)).map(Duration::from_millis);
    length.ok_or_else(|| "a number with its unit is needed, as 250ms, 90s, 15m, 48h or 7d".to_owned())
}

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub queue: QueueUrl,
    /// Where to look: main, retry-0 to retry-4, dead, journal; everywhere when left out.
    #[arg(long = "place", value_name = "PLACE", value_delimiter = ',')]
    pub places: Vec<Place>,
    /// How many at most, of each place.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub most: Option<u64>,
    #[command(flatten)]
    pub printed: Printed,
}

/// A message as people name it: by its identifier, or by the number in it where no other message there has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Id(MessageId),
    Number(u32),
}

impl std::str::FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(number) => Ok(Self::Number(number)),
            // Shells take the backslash away.
            Err(_) => (text.replace('/', "\\").parse().map(Self::Id))
                .map_err(|_| "an identifier is {GUID}\\NUMBER, {GUID}/NUMBER, or only the number".to_owned()),
        }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    pub queue: QueueUrl,
    /// Where it is; looked for everywhere when left out.
    #[arg(long)]
    pub place: Option<Place>,
    /// Interfaces, as a list of calls has them: they tell the arguments of calls that are not those of IDispatch.
    #[arg(long, value_name = "FILE")]
    pub interfaces: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Write the body into this file, or - for standard output, and print nothing else.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub body: Option<PathBuf>,
    /// The message: {GUID}\NUMBER, or the number alone; the first one when left out.
    #[arg(value_name = "ID")]
    pub id: Option<Named>,
}

#[derive(Debug, Args)]
pub struct MoveArgs {
    #[command(flatten)]
    pub queue: QueueUrl,
    /// Where they are; looked for everywhere when left out.
    #[arg(long)]
    pub from: Option<Place>,
    /// Where they go in the same queue.
    #[arg(long, value_name = "PLACE", conflicts_with = "to_queue", required_unless_present = "to_queue")]
    pub to: Option<Place>,
    /// The other queue that they go to. They are in both for a moment, and stay so when the program is killed then: players know
    /// the second by its identifier.
    #[arg(long, value_name = "URL", value_parser = secret)]
    pub to_queue: Option<Secret<String>>,
    /// All messages of that place.
    #[arg(long, requires = "from", conflicts_with = "ids")]
    pub all: bool,
    #[command(flatten)]
    pub printed: Printed,
    /// The messages: {GUID}\NUMBER, or the number alone.
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub ids: Vec<Named>,
}

#[derive(Debug, Args)]
pub struct RequeueArgs {
    #[command(flatten)]
    pub queue: QueueUrl,
    /// Only from there: dead, retry-0 and so on.
    #[arg(long)]
    pub from: Option<Place>,
    /// All dead messages, or all of the place that is told.
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    #[command(flatten)]
    pub printed: Printed,
    /// The messages: {GUID}\NUMBER, or the number alone.
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub ids: Vec<Named>,
}

#[derive(Debug, Args)]
pub struct PurgeArgs {
    #[command(flatten)]
    pub queue: QueueUrl,
    /// All messages there that nobody has received: main, retry-0 to retry-4, dead, journal.
    #[arg(long = "place", value_name = "PLACE", value_delimiter = ',', conflicts_with = "ids")]
    pub places: Vec<Place>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub printed: Printed,
    /// Only these messages: {GUID}\NUMBER, or the number alone.
    #[arg(value_name = "ID", required_unless_present = "places")]
    pub ids: Vec<Named>,
}

#[derive(Debug, Args)]
pub struct StatsArgs {
    #[command(flatten)]
    pub queue: QueueUrl,
    #[command(flatten)]
    pub printed: Printed,
}
