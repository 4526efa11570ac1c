//! The server service ([MS-SRVS]).

use ndr_oaut::{WideString, wire};
use serde_json::json;

use super::{Calls, Failure, Outcome};

const SHARE_ENUM: u16 = 15;
const SERVER_GET_INFO: u16 = 21;
const REMOTE_TOD: u16 = 28;
/// Characters of a server name that nobody has: several fragments.
const LONG: usize = 20_000;

/// SHARE_INFO_1.
#[derive(Debug)]
struct Share<'a> {
    name: Option<WideString<'a>>,
    kind: u32,
    remark: Option<WideString<'a>>,
}

wire! {
    struct 'a Share<'a>, "[MS-SRVS]" "2.2.4.23" "SHARE_INFO_1", |v, _r|
    "shi1_netname" name: Option<WideString<'a>> = v.name;
    "shi1_type" kind: u32 = v.kind;
    "shi1_remark" remark: Option<WideString<'a>> = v.remark;
    => Ok(Self { name, kind, remark })
}

/// SHARE_INFO_1_CONTAINER.
#[derive(Debug, Default)]
struct Shares<'a> {
    count: u32,
    shares: Option<Vec<Share<'a>>>,
}

wire! {
    struct 'a Shares<'a>, "[MS-SRVS]" "2.2.4.33" "SHARE_INFO_1_CONTAINER", |v, _r|
    "EntriesRead" count: u32 = v.count;
    "Buffer" shares: Option<Vec<Share<'a>>> = v.shares;
    => Ok(Self { count, shares })
}

/// SERVER_INFO_101.
#[derive(Debug)]
struct Server<'a> {
    platform: u32,
    name: Option<WideString<'a>>,
    major: u32,
    minor: u32,
    kind: u32,
    comment: Option<WideString<'a>>,
}

wire! {
    struct 'a Server<'a>, "[MS-SRVS]" "2.2.4.41" "SERVER_INFO_101", |v, _r|
    "sv101_platform_id" platform: u32 = v.platform;
    "sv101_name" name: Option<WideString<'a>> = v.name;
    "sv101_version_major" major: u32 = v.major;
    "sv101_version_minor" minor: u32 = v.minor;
    "sv101_type" kind: u32 = v.kind;
    "sv101_comment" comment: Option<WideString<'a>> = v.comment;
    => Ok(Self { platform, name, major, minor, kind, comment })
}

/// TIME_OF_DAY_INFO, as far as the day.
#[derive(Debug)]
struct Time {
    elapsed: u32,
    msecs: u32,
    clock: Clock,
    day: u32,
    month: u32,
    year: u32,
    weekday: u32,
}

#[derive(Debug)]
struct Clock {
    hours: u32,
    mins: u32,
    secs: u32,
    hunds: u32,
    timezone: i32,
    interval: u32,
}

wire! {
    struct 'a Clock, "[MS-SRVS]" "2.2.4.105" "TIME_OF_DAY_INFO", |v, _r|
    "tod_hours" hours: u32 = v.hours;
    "tod_mins" mins: u32 = v.mins;
    "tod_secs" secs: u32 = v.secs;
    "tod_hunds" hunds: u32 = v.hunds;
    "tod_timezone" timezone: i32 = v.timezone;
    "tod_tinterval" interval: u32 = v.interval;
    => Ok(Self { hours, mins, secs, hunds, timezone, interval })
}

wire! {
    struct 'a Time, "[MS-SRVS]" "2.2.4.105" "TIME_OF_DAY_INFO", |v, _r|
    "tod_elapsedt" elapsed: u32 = v.elapsed;
    "tod_msecs" msecs: u32 = v.msecs;
    "tod_hours" clock: Clock = v.clock;
    "tod_day" day: u32 = v.day;
    "tod_month" month: u32 = v.month;
    "tod_year" year: u32 = v.year;
    "tod_weekday" weekday: u32 = v.weekday;
    => Ok(Self { elapsed, msecs, clock, day, month, year, weekday })
}

fn text(string: Option<&WideString<'_>>) -> Option<String> {
    string.map(|string| string.0.before_nul().to_text_lossy())
}

async fn server(calls: &Calls, name: &str) -> Outcome<()> {
    let answer = calls.ask(SERVER_GET_INFO, (Some(WideString::new(name)), 101_u32)).await?;
    // InfoStruct: its tag, a pointer.
    let (tag, server) = answer.read::<(u32, Option<Server<'_>>)>()?;
    let server = server.filter(|_| tag == 101).ok_or(Failure::Wrong("not SERVER_INFO_101"))?;
    let version = format!("{}.{}", server.major, server.minor);
    calls.tell(
        "ServerGetInfo",
        json!({ "asked": name.len(), "name": text(server.name.as_ref()), "version": version,
            "platform": server.platform, "type": server.kind, "comment": text(server.comment.as_ref()) }),
    );
    Ok(())
}

pub(crate) async fn ask(calls: &Calls) -> Outcome<()> {
    server(calls, "judge").await?;
    server(calls, &"x".repeat(LONG)).await?;
    // ServerName, Level; InfoStruct: tag, a container; PreferedMaximumLength, ResumeHandle.
    let more = ((1_u32, Some(Shares::default())), u32::MAX, Some(0_u32));
    let answer = calls.ask(SHARE_ENUM, (None::<WideString<'_>>, 1_u32, more)).await?;
    type Found<'a> = ((u32, u32, Option<Shares<'a>>), u32, Option<u32>);
    let ((level, tag, shares), total, _) = answer.read::<Found<'_>>()?;
    let Shares { count, shares } =
        shares.filter(|_| (level, tag) == (1, 1)).ok_or(Failure::Wrong("not SHARE_INFO_1"))?;
    let shares = shares.unwrap_or_default();
    if [count, total].iter().any(|count| usize::try_from(*count).ok() != Some(shares.len())) {
        return Err(Failure::Wrong("not as many shares as it says"));
    }
    let shares: Vec<_> = shares
        .iter()
        .map(|share| {
            json!({ "name": text(share.name.as_ref()), "type": share.kind, "remark": text(share.remark.as_ref()) })
        })
        .collect();
    calls.tell("ShareEnum", json!(shares));
    let answer = calls.ask(REMOTE_TOD, None::<WideString<'_>>).await?;
    let time = answer.read::<Option<Time>>()?.ok_or(Failure::Wrong("no time"))?;
    let clock = [time.clock.hours, time.clock.mins, time.clock.secs, time.clock.hunds];
    calls.tell(
        "RemoteTOD",
        json!({ "seconds": time.elapsed, "clock": clock, "day": [time.year, time.month, time.day, time.weekday],
            "timezone": time.clock.timezone, "msecs": time.msecs, "interval": time.clock.interval }),
    );
    Ok(())
}
