//! Errors in a line.

/// The innermost reason of an error: the outer ones of HTTP libraries only say that there was
/// one.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
