//! What the macros accept (`pass/`) and refuse (`fail/`, each with the message that the user sees).
