//! The shape of a JSON document, held against an example of it.

use serde_json::Value;

/// What a document lacks of the example's keys and types, as paths; nothing where all is there.
///
/// `null` in the example stands for "anything". Each item of an array must have the shape of the
/// example's first item, and there must be one.
pub fn lacks(document: &Value, example: &Value) -> Vec<String> {
    let mut lacks = Vec::new();
    compare(document, example, "", &mut lacks);
    lacks
}

fn compare(document: &Value, example: &Value, path: &str, lacks: &mut Vec<String>) {
    match (document, example) {
        (_, Value::Null) => {}
        (Value::Object(document), Value::Object(example)) => {
            for (key, example) in example {
                match document.get(key) {
                    Some(value) => compare(value, example, &format!("{path}/{key}"), lacks),
                    None => lacks.push(format!("{path}/{key} is not there")),
                }
            }
        }
        (Value::Array(items), Value::Array(example)) => {
            if items.is_empty() && !example.is_empty() {
                lacks.push(format!("{path} is empty"));
            }
            for (at, item) in items.iter().enumerate() {
                let path = format!("{path}/{at}");
                example.iter().for_each(|example| compare(item, example, &path, lacks));
            }
        }
        _ if kind(document) == kind(example) => {}
        _ => lacks.push(format!("{path} is {} {document}", kind(document))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_what_is_lacking() {
        let example = json!({"a": [{"b": "x"}], "c": null, "d": 1});
        assert!(lacks(&json!({"a": [{"b": "y", "z": 1}], "c": 3, "d": 2}), &example).is_empty());
        let lacking = lacks(&json!({"a": [{"b": 1}, {}], "d": "2"}), &example);
        let paths: Vec<_> = lacking.iter().filter_map(|l| l.split(' ').next()).collect();
        assert_eq!(paths, ["/a/0/b", "/a/1/b", "/c", "/d"]);
        assert_eq!(lacks(&json!({"a": [], "c": 1, "d": 1}), &example).len(), 1);
    }
}
