//! A visit of a user: which page follows which, and after how long.
//!
//! It writes nothing and knows no song but for its length. Invariant: pages follow each other as in the app (nobody
//! logs in twice, only who asked for an upgrade submits it, nothing is played while logged out).

use crate::sample::people::User;
use crate::sample::random::Random;

/// A page of the app, as the logs name it.
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

    /// The app redirects from these pages at once.
    fn redirects(self) -> bool {
        self.in_the_log().2 == "307"
    }
}

/// What all open sessions of a user share on one day.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    pub pays: bool,
    /// The user is to change the level today and has not done so yet.
    pub change_due: bool,
    pub open_sessions: u32,
}

/// One visit.
pub(super) struct Session<'w> {
    pub id: u64,
    pub user: User<'w>,
    /// The number of events so far.
    pub items: u64,
    pub logged_in: bool,
    /// One of the clients writes the user's number without quotes.
    pub user_as_number: bool,
    songs_left: u64,
    previous: Option<Page>,
}

impl<'w> Session<'w> {
    pub(super) const fn open(id: u64, user: User<'w>, pays: bool, random: &mut Random) -> Self {
        // Who pays stays longer, as in the real data.
        let songs_left = 1 + random.rank(if pays { 80 } else { 16 }, 2);
        let logged_in = random.percent(91);
        let user_as_number = random.one_in(300);
        Self { id, user, items: 0, logged_in, user_as_number, songs_left, previous: None }
    }

    /// The page the user opens now. None: the user has left.
    pub(super) fn next_page(&mut self, standing: Standing, random: &mut Random) -> Option<Page> {
        let page = if self.logged_in { self.page_inside(standing, random) } else { self.page_outside(random) };
        self.previous = page;
        page
    }

    /// What the page changes, once its event has been written: the event still has the state from before.
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

/// How long a user stays on a page, in milliseconds; never less than a second. `duration` is that of the song, in
/// hundred thousandths of a second.
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
    fn pages_follow_each_other_as_in_the_app() {
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
