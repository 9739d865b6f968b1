//! Whether an answer is the recorded one.

use serde_json::Value;

/// Fields of which only the form is compared, and why.
const BY_FORM_ONLY: [(&str, &str); 1] =
    [("reception_time", "the time at which this very node got the message")];

/// Where two JSON values differ; the path and both values.
pub(crate) fn difference(at: &str, recorded: &Value, answered: &Value) -> Option<String> {
    let differ = || Some(format!("{at}: recorded {recorded}, answered {answered}"));
    if BY_FORM_ONLY.iter().any(|(field, _)| at.ends_with(&format!(".{field}"))) {
        let (Some(recorded), Some(answered)) = (recorded.as_str(), answered.as_str()) else {
            return differ();
        };
        return (form_of(recorded) != form_of(answered)).then(differ).flatten();
    }
    match (recorded, answered) {
        (Value::Object(recorded), Value::Object(answered)) => {
            let names = |object: &serde_json::Map<String, Value>| {
                let mut names: Vec<String> = object.keys().cloned().collect();
                names.sort();
                names
            };
            if names(recorded) != names(answered) {
                return differ();
            }
            recorded
                .iter()
                .find_map(|(key, value)| difference(&format!("{at}.{key}"), value, &answered[key]))
        }
        (Value::Array(recorded), Value::Array(answered)) => {
            if recorded.len() != answered.len() {
                return differ();
            }
            let mut pairs = recorded.iter().zip(answered).enumerate();
            pairs.find_map(|(i, (a, b))| difference(&format!("{at}[{i}]"), a, b))
        }
        // Numbers keep their digits here: 1000.0 is not 1000.
        (recorded, answered) => (recorded != answered).then(differ).flatten(),
    }
}

/// A time with its digits left out. Python drops a fraction that is zero, and so may we.
fn form_of(time: &str) -> String {
    let digits = time.replace(|c: char| c.is_ascii_digit(), "0");
    match digits.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => digits,
    }
}
