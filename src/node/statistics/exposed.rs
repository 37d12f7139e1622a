//! What a statistic is called where machines collect figures, after the rules of Prometheus
//! (<https://prometheus.io/docs/practices/naming/>): a prefix, base units at the end, `_total` after what only rises.

/// See the module. Names are without prefix, unit and suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposed {
    /// It keeps its name; the unit goes to the end.
    Own,
    /// It has this name.
    As(&'static str),
    /// It is one of several that have this name and can be added up, or compared.
    Part {
        /// What all of them are.
        name: &'static str,
        /// In what they differ.
        label: &'static str,
        /// Which of them it is.
        value: &'static str,
    },
    /// Every program has it, under this name.
    Process(&'static str),
    /// A text that tells apart what has figures: a label of `<of>_info`, which is always 1.
    Label {
        /// What it says something about.
        of: &'static str,
        /// What it says.
        label: &'static str,
    },
    /// A text that begins with one of these words: for each it is 1 or 0.
    States {
        /// What the words are.
        label: &'static str,
        /// All of them.
        states: &'static [&'static str],
    },
    /// A text that is no figure.
    Nowhere,
}

/// What a family of figures is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// It only rises.
    Counter,
    /// It rises and falls.
    Gauge,
    /// How many there were of about which length.
    Histogram,
    /// How long most of many took at most.
    Summary,
    /// Texts.
    Info,
}
