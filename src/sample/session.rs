//! A session of a user: the order of its pages, and the time between them.
//!
//! Invariant: the order of pages is possible in the app: no login while logged in, a submitted upgrade only after the
//! page Upgrade, and no play while logged out.

use crate::sample::people::User;
use crate::sample::random::Random;

/// A page of the app.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Page {
    NextSong,
    Home,
    Login,
    Logout,
    Settings,
    SaveSettings,
    Upgrade,
    SubmitUpgrade,
    Downgrade,
    SubmitDowngrade,
    About,
    Help,
    Error,
    AddToPlaylist,
    AddFriend,
    ThumbsUp,
    ThumbsDown,
    RollAdvert,
}

impl Page {
    /// The page's name, the HTTP method and the status code.
    pub(super) const fn in_the_log(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::NextSong => ("NextSong", "PUT", "200"),
            Self::Home => ("Home", "GET", "200"),
            Self::Login => ("Login", "PUT", "307"),
            Self::Logout => ("Logout", "PUT", "307"),
            Self::Settings => ("Settings", "GET", "200"),
            Self::SaveSettings => ("Save Settings", "PUT", "307"),
            Self::Upgrade => ("Upgrade", "GET", "200"),
            Self::SubmitUpgrade => ("Submit Upgrade", "PUT", "307"),
            Self::Downgrade => ("Downgrade", "GET", "200"),
            Self::SubmitDowngrade => ("Submit Downgrade", "PUT", "307"),
            Self::About => ("About", "GET", "200"),
            Self::Help => ("Help", "GET", "200"),
            Self::Error => ("Error", "GET", "404"),
            Self::AddToPlaylist => ("Add to Playlist", "PUT", "200"),
            Self::AddFriend => ("Add Friend", "PUT", "307"),
            Self::ThumbsUp => ("Thumbs Up", "PUT", "307"),
            Self::ThumbsDown => ("Thumbs Down", "PUT", "307"),
            Self::RollAdvert => ("Roll Advert", "GET", "200"),
        }
    }

    /// Whether the app redirects from this page immediately.
    fn redirects(self) -> bool {
        self.in_the_log().2 == "307"
    }
}

/// The state of a user on one day, shared by the user's open sessions.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    pub pays: bool,
    /// Whether the user will change the level later on this day.
    pub change_due: bool,
    pub open_sessions: u32,
}

/// A session.
pub(super) struct Session<'w> {
    pub id: u64,
    pub user: User<'w>,
    /// The number of events so far.
    pub items: u64,
    pub logged_in: bool,
    /// Whether the client writes the user's number without quotes.
    pub user_as_number: bool,
    songs_left: u64,
    previous: Option<Page>,
}

impl<'w> Session<'w> {
    pub(super) const fn open(id: u64, user: User<'w>, pays: bool, random: &mut Random) -> Self {
        // Paying users stay longer, as in the real data.
        let songs_left = 1 + random.rank(if pays { 80 } else { 16 }, 2);
        let logged_in = random.percent(91);
        let user_as_number = random.one_in(300);
        Self { id, user, items: 0, logged_in, user_as_number, songs_left, previous: None }
    }

    /// The next page; `None` at the end of the session.
    pub(super) fn next_page(&mut self, standing: Standing, random: &mut Random) -> Option<Page> {
        let page = if self.logged_in { self.page_inside(standing, random) } else { self.page_outside(random) };
        self.previous = page;
        page
    }

    /// Applies the changes of a page after its event was written: the event has the state before the change.
    pub(super) const fn settle(&mut self, page: Page, standing: &mut Standing) {
        self.items += 1;
        match page {
            Page::NextSong => self.songs_left = self.songs_left.saturating_sub(1),
            Page::Login => self.logged_in = true,
            Page::Logout => self.logged_in = false,
            Page::SubmitUpgrade | Page::SubmitDowngrade => {
                standing.pays = !standing.pays;
                standing.change_due = false;
            }
            _ => {}
        }
    }

    fn page_outside(&self, random: &mut Random) -> Option<Page> {
        let drawn = random.below(100);
        match self.previous {
            None => Some(match drawn {
                0..75 => Page::Home,
                75..80 => Page::About,
                80..84 => Page::Help,
                _ => Page::Login,
            }),
            Some(Page::Logout) => (drawn < 55).then_some(Page::Home),
            Some(_) => match drawn {
                0..60 => Some(Page::Login),
                60..75 => Some(Page::Home),
                75..80 => Some(Page::About),
                80..83 => Some(Page::Help),
                _ => None,
            },
        }
    }

    fn page_inside(&self, standing: Standing, random: &mut Random) -> Option<Page> {
        let change_page = if standing.pays { Page::Downgrade } else { Page::Upgrade };
        match self.previous {
            Some(Page::Upgrade) if standing.change_due && !standing.pays => return Some(Page::SubmitUpgrade),
            Some(Page::Downgrade) if standing.change_due && standing.pays => {
                return Some(Page::SubmitDowngrade);
            }
            Some(Page::Login | Page::SubmitUpgrade | Page::SubmitDowngrade) => return Some(Page::Home),
            Some(Page::Settings) if random.percent(18) => return Some(Page::SaveSettings),
            _ => {}
        }
        if standing.change_due && self.items >= 2 {
            return Some(change_page);
        }
        if self.songs_left == 0 && !standing.change_due {
            return random.percent(12).then_some(Page::Logout);
        }
        Some(match random.below(1000) {
            0..48 => Page::Home,
            48..55 => change_page,
            55..61 => Page::Settings,
            61..65 => Page::Help,
            65..68 => Page::About,
            68..69 => Page::Error,
            69..74 => Page::AddToPlaylist,
            74..80 => Page::ThumbsUp,
            80..82 => Page::ThumbsDown,
            82..84 => Page::AddFriend,
            84..94 if !standing.pays => Page::RollAdvert,
            94..97 => Page::Logout,
            _ => Page::NextSong,
        })
    }
}

/// The time on a page in milliseconds, at least one second. `duration` is the length of the song in hundred-thousandths
/// of a second.
pub(super) fn stay(page: Page, duration: u64, random: &mut Random) -> u64 {
    match page {
        Page::NextSong if random.one_in(12) => 1000 + random.below(30_000),
        Page::NextSong => 1000 + duration / 100,
        _ if page.redirects() => 1000 + random.below(40),
        _ => 1000 + random.below(90_000),
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, Session, Standing};
    use crate::sample::people::People;
    use crate::sample::random::{Random, Stream};
    use crate::sample::words::Words;

    #[test]
    fn the_order_of_pages_is_possible_in_the_app() {
        let words = Words::new();
        let people = People::new(&words, 1, 1, 1);
        let mut changed = 0;
        for number in 0..3000 {
            let mut random = Random::new(number, Stream::Day, 0);
            let mut standing = Standing { pays: number % 2 == 0, change_due: number % 3 == 0, open_sessions: 1 };
            let due = standing.change_due;
            let mut session = Session::open(number, people.user(1), standing.pays, &mut random);
            let mut previous = None;
            while let Some(page) = session.next_page(standing, &mut random) {
                assert!(session.logged_in || matches!(page, Page::Home | Page::Login | Page::About | Page::Help));
                assert!(!session.logged_in || page != Page::Login);
                match page {
                    Page::SubmitUpgrade => assert!(previous == Some(Page::Upgrade) && !standing.pays),
                    Page::SubmitDowngrade => assert!(previous == Some(Page::Downgrade) && standing.pays),
                    _ => {}
                }
                let before = standing.pays;
                session.settle(page, &mut standing);
                changed += u32::from(before != standing.pays);
                previous = Some(page);
                assert!(session.items < 2000, "a session ends");
            }
            assert!(due || standing.pays == (number % 2 == 0));
        }
        assert!((900..=1000).contains(&changed), "{changed}");
    }
}
