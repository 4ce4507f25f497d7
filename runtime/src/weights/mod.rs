//! What calls weigh, measured by `scripts/weights`.
