//! Dates and times of day, in UTC and in the Gregorian calendar.

use comqc_msmq::session::{Records, Type};
use remassist::ndr::VarType;
use serde_json::{Value, json};

const DAY: i64 = 86_400_000;
/// Days from 1899-12-30, which OLE Automation counts from, to 1970-01-01.
const OLE_DAYS: i64 = 25_569;
/// Days from 0000-03-01 to 1970-01-01. Years are counted from March, so that the day that may be missing is their last.
const MARCH_DAYS: i64 = 719_468;
/// Days in 400 years.
const ERA: i64 = 146_097;

/// `2026-11-21T20:15:00.250Z` of milliseconds since 1970; whole seconds have no fraction.
pub fn utc(millis: u64) -> String {
    i64::try_from(millis).map_or_else(|_| millis.to_string(), |millis| format!("{}Z", text(millis)))
}

fn text(millis: i64) -> String {
    let (days, rest) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    let (year, month, day) = date(days);
    let (hour, minute, second, fraction) =
        (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if fraction > 0 {
        text += &format!(".{fraction:03}");
    }
    text
}

fn date(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(MARCH_DAYS);
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * ERA + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - MARCH_DAYS
}

/// Milliseconds since 1970 of `2026-11-21`, `2026-11-21T20:15:00` or `2026-11-21T20:15:00.250`.
fn millis(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00"));
    let number = |text: &str, digits| {
        let is_number = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| text.parse::<i64>().ok()).flatten()
    };
    let mut parts = date.splitn(3, '-');
    let mut next = |digits| number(parts.next()?, digits);
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "000"));
    let mut parts = time.splitn(3, ':');
    let mut next = || number(parts.next()?, 2);
    let (hour, minute, second) = (next()?, next()?, next()?);
    let days = days(year, month, day);
    // What does not come back is no date, as February 30.
    let valid = self::date(days) == (year, month, day) && hour < 24 && minute < 60 && second < 60;
    let time = ((hour * 60 + minute) * 60 + second) * 1000 + number(fraction, 3)?;
    valid.then_some(days * DAY + time)
}

/// The number of a DATE ([MS-OAUT] 2.2.25): days since 1899-12-30. Its fraction is the time of day, also before that day.
fn to_ole(text: &str) -> Option<f64> {
    let millis = millis(text)?;
    let (days, time) = (millis.div_euclid(DAY) + OLE_DAYS, millis.rem_euclid(DAY));
    let fraction = time as f64 / DAY as f64;
    Some(if days < 0 { days as f64 - fraction } else { days as f64 + fraction })
}

/// The text of a DATE, where it tells exactly that number.
fn of_ole(number: f64) -> Option<String> {
    if !(-657_434.0..2_958_466.0).contains(&number) {
        return None;
    }
    let days = number.trunc() as i64 - OLE_DAYS;
    let time = (number.fract().abs() * DAY as f64).round() as i64;
    let text = text(days * DAY + time);
    let same = to_ole(&text)?.to_bits() == number.to_bits();
    same.then_some(text)
}

/// Makes numbers of the texts in place of dates: of those in a value of a type, and of those that name their type.
pub fn to_days(ty: &Type, records: &Records, value: &mut Value) -> Result<(), String> {
    dates(ty, records, value, &mut |date| {
        if let Value::String(text) = date
            // Numbers may be told as text, too.
            && text.parse::<f64>().is_err()
        {
            let days = to_ole(text);
            *date =
                json!(days.ok_or_else(|| {
                    format!("{text:?} is no date like 2026-11-21 or 2026-11-21T20:15:00")
                })?);
        }
        Ok(())
    })
}

/// Makes texts of the numbers in place of dates.
pub fn of_days(ty: &Type, records: &Records, value: &mut Value) {
    dates(ty, records, value, &mut |date| {
        if let Some(text) = date.as_f64().and_then(of_ole) {
            *date = Value::String(text);
        }
        Ok(())
    })
    .unwrap_or_default();
}

/// Does something with each date.
fn dates(
    ty: &Type,
    records: &Records,
    value: &mut Value,
    act: &mut dyn FnMut(&mut Value) -> Result<(), String>,
) -> Result<(), String> {
    match (ty, value) {
        (Type::Unique(ty), value) => dates(ty, records, value, act),
        (_, Value::Array(items)) => {
            let element = ty.element().unwrap_or(&Type::Variant);
            items.iter_mut().try_for_each(|item| dates(element, records, item, act))
        }
        (_, Value::Object(parts)) => {
            let record = if let Type::Record(record) = ty { record.declared() } else { None };
            let field = |name: &str| {
                record?
                    .fields
                    .iter()
                    .find(|field| field.name.eq_ignore_ascii_case(name))
                    .map(|field| &field.ty)
            };
            let told = parts.get("type").and_then(Value::as_str).and_then(|name| name.parse().ok());
            let told = told.map_or(Type::Variant, |told| records.resolve(told));
            parts.iter_mut().try_for_each(|(name, value)| match (field(name), name.as_str()) {
                (Some(ty), _) => dates(ty, records, value, act),
                (None, "value") => dates(&told, records, value, act),
                (None, "elements") => dates(ty, records, value, act),
                _ => Ok(()),
            })
        }
        (Type::Scalar(scalar), value) if scalar.vt() == VarType::DATE => act(value),
        _ => Ok(()),
    }
}
