//! Generates records from a stream of choices, so that proptest can shrink a failing one.

use crate::decode::tests::Kind;

/// Takes choices from the stream; when it is exhausted, always takes the first option.
pub struct Choices<'c> {
    stream: std::slice::Iter<'c, u16>,
}

const EVENT_KEYS: [&str; 18] = [
    "artist",
    "auth",
    "firstName",
    "gender",
    "itemInSession",
    "lastName",
    "length",
    "level",
    "location",
    "method",
    "page",
    "registration",
    "sessionId",
    "song",
    "status",
    "ts",
    "userAgent",
    "userId",
];
const SONG_KEYS: [&str; 10] = [
    "num_songs",
    "artist_id",
    "artist_latitude",
    "artist_longitude",
    "artist_location",
    "artist_name",
    "song_id",
    "title",
    "duration",
    "year",
];
const OTHER_KEYS: [&str; 10] = ["TS", "Page", "userid", "SONG_ID", "zip", "lon", "", "caf\\u00e9", "é", "\\u0074s"];

const TEXTS: [&str; 16] = [
    "",
    "NextSong",
    "Home",
    "26",
    "9.0",
    "a",
    "Zoë",
    "Beyonc\\u00e9",
    "\\\"Mozilla\\/5.0 (X11)\\\"",
    "\\ud83d",
    "\\u0000",
    "ARD7TVE1187B99BFB1",
    "__HIVE_DEFAULT_PARTITION__",
    "a longer text, of more than one word",
    "\\\\\\n\\t\\b\\f\\r",
    "\\ud83d\\ude00",
];
const NUMBERS: [&str; 18] = [
    "0",
    "1541121934796",
    "1541121934796.0",
    "1.541121934796e12",
    "182.85669",
    "-0",
    "-0.0",
    "9e0",
    "9.7",
    "2005",
    "99999999999",
    "99999999999999999999",
    "1e400",
    "1e-400",
    "09",
    "+9",
    ".5",
    "-",
];
const OTHER_VALUES: [&str; 12] =
    ["null", "true", "false", "[]", "{}", "[1,[2,{\"a\":\"}\"}]]", "{\"a\":null}", "[1,]", "nul", "NaN", "'a'", ""];
const BLANKS: [&str; 10] = ["", "", "", "", "", " ", "  ", "\t", "\n", "\r\n  "];
const SEPARATORS: [&str; 16] =
    ["\n", "\n", "\n", "\n", "\n", "\n", "\r\n", "\r", "\n\n", " \n", "\n ", "", " ", ",\n", "\n\u{feff}", "\n\0\n"];
const JUNK: [&str; 12] =
    ["junk", "null", "12", "\"a\"", "# comment", "{", "}", "[", "]", "{}", "\0\0\0\0\0\0\0\0\0\0\0\0", "[{}]"];

impl<'c> Choices<'c> {
    pub fn new(stream: &'c [u16]) -> Self {
        Self { stream: stream.iter() }
    }

    pub fn is_exhausted(&self) -> bool {
        self.stream.len() == 0
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.stream.next().map_or(0, |&choice| usize::from(choice) % bound.max(1))
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }

    fn blank(&mut self) -> &'static str {
        self.of(&BLANKS)
    }

    /// A value of the key's type, or sometimes any other value.
    fn value(&mut self, key: &str) -> String {
        match self.below(120) {
            0 => return format!("\"{}\"", self.of(&TEXTS)),
            1 => return self.of(&NUMBERS).to_owned(),
            2 => return self.of(&OTHER_VALUES).to_owned(),
            3 => return "null".to_owned(),
            _ => {}
        }
        match key {
            "page" => {
                self.of(&["\"NextSong\"", "\"NextSong\"", "\"NextSong\"", "\"Home\"", "\"Next\\u0053ong\""]).into()
            }
            "ts" => format!("15411219{:05}", self.below(60_000)),
            "userId" => self.of(&["\"26\"", "\"8\"", "\"8\"", "\"101\"", "26", "26.0"]).into(),
            "sessionId" | "itemInSession" | "status" | "num_songs" | "year" => self.below(3000).to_string(),
            "length" | "duration" | "artist_latitude" | "artist_longitude" => {
                format!("{}.{}", self.below(400), self.below(60_000))
            }
            _ => format!("\"{}\"", self.of(&TEXTS[4..9])),
        }
    }

    /// The members of a record, mostly with the producer's keys in the producer's order.
    pub fn members(&mut self, kind: Kind) -> Vec<String> {
        let mut keys = match kind {
            Kind::Events => EVENT_KEYS.to_vec(),
            Kind::Songs => SONG_KEYS.to_vec(),
        };
        let blanks = self.below(6);
        for _ in 0..self.below(8).saturating_sub(4) {
            let (from, to) = (self.below(keys.len()), self.below(keys.len()));
            match self.below(5) {
                0 => keys.swap(from, to),
                1 => drop(keys.remove(from)),
                2 => keys.insert(to, keys[from]),
                3 => keys.insert(to, self.of(&OTHER_KEYS)),
                _ => keys.rotate_left(from),
            }
        }
        let member = |key: &&str| {
            let value = self.value(key);
            match blanks {
                0 => format!("{}\"{key}\"{}:{}{value}{}", self.blank(), self.blank(), self.blank(), self.blank()),
                1 => format!("\"{key}\": {value}"),
                _ => format!("\"{key}\":{value}"),
            }
        };
        keys.iter().map(member).collect()
    }

    fn record(&mut self, kind: Kind) -> String {
        let separator = self.of(&[",", ",", ", ", ",\n  "]);
        let members = self.members(kind).join(separator);
        let line_break = if separator.ends_with(' ') && separator.len() > 2 { "\n" } else { "" };
        format!("{{{line_break}{members}{line_break}}}")
    }

    /// A file of records, some of them damaged, with other bytes between them. One file in three is mostly valid.
    pub fn file(&mut self, kind: Kind) -> Vec<u8> {
        let mut file = Vec::new();
        let array = self.below(4) == 1;
        let fault_interval = if self.below(3) == 1 { 60 } else { 6 };
        if array {
            file.extend(b"[");
        }
        while !self.is_exhausted() {
            let start = file.len();
            match self.below(fault_interval * 3) {
                1 => file.extend(self.of(&JUNK).bytes()),
                2 => file.extend(format!("[{},{}]", self.record(kind), self.record(kind)).bytes()),
                _ => file.extend(self.record(kind).bytes()),
            }
            if self.below(fault_interval) == 1 {
                self.damage(&mut file, start);
            }
            if array && self.below(16) != 1 {
                file.extend(b",");
            }
            let separator = if self.below(fault_interval) < 3 { self.of(&SEPARATORS) } else { "\n" };
            file.extend(separator.bytes());
        }
        if array {
            file.extend(b"]");
        }
        let tail = self.below(8);
        if tail < 2 {
            file.truncate(file.len() - file.len().min(tail * 20));
        }
        file
    }

    /// Damages one byte or position after `start`.
    fn damage(&mut self, file: &mut Vec<u8>, start: usize) {
        let at = start + self.below(file.len() - start);
        match self.below(6) {
            0 => file[at] ^= 1 << self.below(8),
            1 => drop(file.remove(at)),
            2 => {
                let byte = b"\"\\{}[],:\n\r\t \0\x01\xFF\xC3\xED\xA0\x80u"[self.below(20)];
                file.insert(at, byte);
            }
            3 => file.truncate(at),
            4 => drop(file.splice(at..at, [0; 9])),
            _ => file[at] = u8::try_from(self.below(256)).unwrap_or(0),
        }
    }
}
