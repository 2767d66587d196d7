//! The words for the titles, artists and users of a sample. They are invented; only the names of places and browsers
//! are those of the real data.
//!
//! Invariant: any change of a list changes every sample, so the lists are constants.

use crate::sample::text::{Producer, push_escaped};

/// The lists, split once per run.
pub(super) struct Words {
    pub adjectives: Vec<&'static str>,
    pub nouns: Vec<&'static str>,
    pub verbs: Vec<&'static str>,
    pub foreign_titles: Vec<&'static str>,
    pub title_endings: Vec<&'static str>,
    pub foreign_artists: Vec<&'static str>,
    pub women: Vec<&'static str>,
    pub men: Vec<&'static str>,
    pub surnames: Vec<&'static str>,
    pub metros: Vec<&'static str>,
    /// User agents, escaped for a JSON string.
    pub escaped_agents: Vec<String>,
}

impl Words {
    pub(super) fn new() -> Self {
        Self {
            adjectives: ADJECTIVES.split_whitespace().collect(),
            nouns: NOUNS.split_whitespace().collect(),
            verbs: VERBS.split_whitespace().collect(),
            foreign_titles: FOREIGN_TITLES.lines().collect(),
            title_endings: TITLE_ENDINGS.lines().collect(),
            foreign_artists: FOREIGN_ARTISTS.lines().collect(),
            women: WOMEN.split_whitespace().collect(),
            men: MEN.split_whitespace().collect(),
            surnames: SURNAMES.split_whitespace().collect(),
            metros: METROS.lines().collect(),
            escaped_agents: AGENTS.lines().map(escaped).collect(),
        }
    }
}

fn escaped(text: &str) -> String {
    let mut out = Vec::new();
    push_escaped(&mut out, text, Producer::Php);
    String::from_utf8_lossy(&out).into_owned()
}

const ADJECTIVES: &str = "Amber Ancient Autumn Barefoot Bitter Black Blue Borrowed Brass Broken Burning Careless Clever \
    Cold Copper Crimson Crooked Crystal Dancing Dark Distant Double Drifting Dusty Early Eastern Electric Empty \
    Endless Faded Faithful Falling Fearless Fifth Final First Floating Foolish Forgotten Fragile Frozen Gentle Giant \
    Golden Green Half Heavy Hidden Hollow Honest Hungry Idle Infinite Inner Iron Jealous Kind Last Late Lazy Little \
    Lonely Long Lost Loud Lucky Lunar Magnetic Marble Midnight Modern Naked Narrow Neon New Northern Numb Old Open \
    Orange Outer Pale Paper Patient Perfect Plastic Polar Private Purple Quiet Ragged Rainy Rare Reckless Red Restless \
    Rolling Rough Royal Rusty Sacred Salty Scarlet Second Secret Shallow Silent Silver Simple Sleepless Slow Small \
    Solar Southern Spare Static Steady Stolen Strange Stray Summer Sweet Swift Tender Thin Third Timid Tired Tiny True \
    Twisted Uneven Unknown Upper Vacant Velvet Vivid Wandering Warm Weary Western White Wild Winter Wireless Wooden \
    Yellow Young";

const NOUNS: &str = "Airport Alley Anchor Angel Answer Apartment Apple Arcade Arrow Ashes Atlas Attic Avenue Balloon \
    Basement Beacon Bell Bicycle Bird Blanket Boat Bone Border Bottle Boulevard Bridge Brother Building Cabin Camera \
    Candle Canyon Captain Carnival Castle Cathedral Ceiling Chapel Cinema Circle City Clock Cloud Coast Comet Compass \
    Copy Corner Cotton Crane Crown Current Curtain Daughter Dawn Desert Diamond Distance Doctor Domino Door Dragon \
    Dream Driver Echo Elevator Ember Engine Evening Factory Feather Fence Ferry Fever Field Fire Flag Flood Flower \
    Forest Fountain Fox Frame Friend Garden Ghost Glass Glove Guitar Harbour Harvest Heart Highway Hill Holiday Horizon \
    Horse Hotel Hour House Hurricane Island Jacket January Journey Jungle Key King Kingdom Kitchen Ladder Lake Lantern \
    Laughter Letter Library Light Lightning Lion Machine Magnet Map Market Matchbox Meadow Melody Memory Message Meteor \
    Mile Mirror Money Monsoon Moon Morning Motel Mountain Museum Needle Neighbour Night North Novel Ocean Office Orchard \
    Orchestra Palace Parade Parachute Passenger Pattern Pepper Photograph Piano Pilot Pine Planet Pocket Poison Pony \
    Portrait Postcard Prayer Promise Queen Question Radio Railway Rain Raven Ribbon Riddle River Road Rocket Roof Room \
    Rose Sailor Satellite Season Shadow Ship Shore Signal Silence Sister Skyline Smoke Snow Soldier Song Sparrow Spider \
    Spring Stairway Star Station Stone Storm Stranger Street Sugar Summer Sun Sunday Switch Teacher Telephone Temple \
    Theatre Thief Thunder Ticket Tiger Tomorrow Tower Traffic Train Treasure Tunnel Umbrella Valley Village Violin Voice \
    Wagon Waltz Water Wave Weather Wheel Whisper Window Wing Wire Wolf Wonder Woods Yard";

const VERBS: &str = "Answer Believe Borrow Bring Build Call Carry Catch Chase Change Count Cross Dance Deny Draw Dream \
    Drive Drop Fall Feel Find Fix Follow Forget Forgive Give Hear Hide Hold Keep Kiss Know Leave Lift Live Lose Love Make \
    Mind Miss Move Need Open Paint Play Remember Ride Run Save Say Send Shake Shine Sing Sleep Stay Steal Stop Take Tell \
    Touch Trust Turn Wait Wake Walk Want Wash Watch Write";

/// Accents, other alphabets, characters above U+FFFF, and text that was decoded with the wrong encoding.
const FOREIGN_TITLES: &str = "\
Canción del río
Mañana sin ti
Corazón de papel
¿Dónde está la luna?
Nuit d'été
Le café fermé
À la fenêtre
Der Fluss trägt uns
Grüße aus dem Norden
Små fåglar
Tähtiö
Příliš žluté kolíčko
Złoty most
İstanbul'da yağmur
Ночной поезд
Καλοκαίρι
夜の電車
雨中的桥
서울의 밤
\u{5d0}\u{5d5}\u{5e8} \u{5e7}\u{5d8}\u{5df}
\u{644}\u{64a}\u{644}\u{629} \u{635}\u{64a}\u{641}
Dance 💃 All Night
🎸🔥
Love ❤\u{fe0f}
𝄞 (Interlude)
Cafe\u{301} Noir
CoraÃ§Ã£o
RÃ\u{83}\u{c2}ªve
One More… “Time”
Rock ’n’ Run
A\u{a0}Quiet\u{a0}Hour";

const TITLE_ENDINGS: &str = "\
, No. 3
 (Album Version)
 (LP Version)
 (Live)
 (Live at the Old Station)
 (Remastered)
  (Remastered LP Version)
 (Radio Edit)
 (Acoustic)
 (Demo)
 (Instrumental)
 [Explicit]
 - Extended Mix
 (2008 Digital Remaster)
 /Reprise
 Pt. 2";

const FOREIGN_ARTISTS: &str = "\
Bjørn Lindström
Los Ñandúes
Café Minéral
Zoë François
São Bento Trio
Džez Kvartet
Grüne Hütte
Łódź Kapela
Двор и Лес
東京灯台
은하수 국장
南方实验室
The 🦊 Brothers
JosÃ© y los DemÃ¡s
Agústino O’Hara";

const WOMEN: &str = "Abigail Adele Alba Alma Amara Anika Astrid Aurora Beatriz Bridget Camila Carmen Celeste Chloé Clara \
    Dalia Delphine Edith Eleanor Elif Eloise Esther Fatima Fiona Freya Georgia Greta Hazel Helena Imani Ingrid Iris \
    Isabel Jasmine Joanna Josephine Juniper Katarina Keiko Laila Leonie Lucia Mabel Maren Marisol Matilda Mei Mina Nadia \
    Naomi Noor Odette Olympia Paloma Petra Priya Quinn Ramona Rosalind Sabine Saoirse Selma Sienna Simone Sofia Sylvia \
    Tamsin Thea Valentina Vera Viola Wilhelmina Winona Yara Yvette Zoë";

const MEN: &str = "Aaron Adrian Alasdair Amir Anders Anton Arturo August Basil Benedict Bruno Cedric Cormac Cyrus Dario \
    Desmond Diego Dmitri Edgar Elias Emeka Emil Enzo Ezra Fabian Felix Finn Florian Gideon Gustav Hamish Hector Hugo \
    Idris Ignacio Isaac Ivo Jasper Jerome Jonas José Julian Kai Kaspar Kofi Lars Leopold Linus Lorenzo Lucas \
    Magnus Malik Marcel Matteo Maurice Milan Nadir Nico Nils Oisin Omar Orson Oscar Otto Pascal Pavel Quentin Rafael \
    René Rohan Rufus Rupert Salim Samson Sergio Silas Stefan Tariq Theo Tobias Umberto Viktor Wendell Yusuf";

const SURNAMES: &str = "Abbott Achterberg Adeyemi Alvarez Andersson Ashworth Baptiste Barlow Bellamy Bianchi Blackwood \
    Boateng Bondé Brandt Calloway Castellanos Chandra Cho Cordova Dalgaard D'Amico Delacroix Demir Donovan Drummond \
    Ekström Ellery Faulkner Ferreira Fischer Fitzgerald Fontaine Gallagher García Giordano Grimaldi Guthrie Haddad \
    Halvorsen Hargreaves Hartmann Hawthorne Holloway Ibarra Iwasaki Jankowski Johansen Kapoor Kaplan Keller Kowalski Kumar \
    Laurent Lindqvist Lockwood Lombardi Maddox Mahoney Marchetti McAllister Mendoza Mercado Middleton Moreau Mulligan \
    Müller Nakamura Ndiaye Nielsen Novak O'Brien O'Connell Okafor Olsen Osborne Park Pemberton Petrov Pruitt Quintero \
    Rahman Ramsey Ravenscroft Rinaldi Rosenthal Rousseau Saito Salazar Santoro Schneider Sheridan Sinclair Sorensen Stavros \
    Sterling Sullivan Tanaka Thackeray Thornton Underhill Valdez Vandermeer Vasquez Villanueva Wainwright Weatherby \
    Whitfield Wojcik Yamamoto Zimmerman";

/// The metropolitan areas of the users, as the United States Census writes them.
const METROS: &str = "\
Albany-Schenectady-Troy, NY
Albuquerque, NM
Allentown-Bethlehem-Easton, PA-NJ
Asheville, NC
Atlanta-Sandy Springs-Roswell, GA
Austin-Round Rock, TX
Baltimore-Columbia-Towson, MD
Baton Rouge, LA
Boise City, ID
Boston-Cambridge-Newton, MA-NH
Buffalo-Cheektowaga-Niagara Falls, NY
Cañon City, CO
Cape Coral-Fort Myers, FL
Charleston-North Charleston, SC
Charlotte-Concord-Gastonia, NC-SC
Chicago-Naperville-Elgin, IL-IN-WI
Cincinnati, OH-KY-IN
Cleveland-Elyria, OH
Colorado Springs, CO
Dallas-Fort Worth-Arlington, TX
Davenport-Moline-Rock Island, IA-IL
Denver-Aurora-Lakewood, CO
Des Moines-West Des Moines, IA
Detroit-Warren-Dearborn, MI
Duluth, MN-WI
Fargo, ND-MN
Green Bay, WI
Greensboro-High Point, NC
Houston-The Woodlands-Sugar Land, TX
Juneau, AK
Kansas City, MO-KS
Knoxville, TN
Los Angeles-Long Beach-Anaheim, CA
Louisville/Jefferson County, KY-IN
Madison, WI
Mayagüez, PR
Miami-Fort Lauderdale-West Palm Beach, FL
Minneapolis-St. Paul-Bloomington, MN-WI
Nashville-Davidson--Murfreesboro--Franklin, TN
New Orleans-Metairie, LA
New York-Newark-Jersey City, NY-NJ-PA
Oklahoma City, OK
Omaha-Council Bluffs, NE-IA
Philadelphia-Camden-Wilmington, PA-NJ-DE-MD
Phoenix-Mesa-Scottsdale, AZ
Pittsburgh, PA
Portland-Vancouver-Hillsboro, OR-WA
Providence-Warwick, RI-MA
Sacramento--Roseville--Arden-Arcade, CA
Salt Lake City, UT
San Francisco-Oakland-Hayward, CA
Santa Fe, NM
Seattle-Tacoma-Bellevue, WA
Spokane-Spokane Valley, WA
St. Louis, MO-IL
Tampa-St. Petersburg-Clearwater, FL
Tulsa, OK
Urban Honolulu, HI
Virginia Beach-Norfolk-Newport News, VA-NC
Washington-Arlington-Alexandria, DC-VA-MD-WV";

/// User agents of November 2018; some producers put quotes around them.
const AGENTS: &str = "\
\"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0.1985.125 Safari/537.36\"
\"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/37.0.2062.120 Safari/537.36\"
\"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_5) AppleWebKit/537.78.2 (KHTML, like Gecko) Version/7.0.6 Safari/537.78.2\"
\"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_8_5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/37.0.2062.94 Safari/537.36\"
\"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0.1985.143 Safari/537.36\"
\"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/37.0.2062.103 Safari/537.36\"
\"Mozilla/5.0 (Windows NT 6.3; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/37.0.2062.120 Safari/537.36\"
\"Mozilla/5.0 (Windows NT 6.2; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/35.0.1916.153 Safari/537.36\"
\"Mozilla/5.0 (Windows NT 5.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0.1985.125 Safari/537.36\"
\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Ubuntu Chromium/37.0.2062.94 Chrome/37.0.2062.94 Safari/537.36\"
\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0.1985.143 Safari/537.36\"
\"Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 (KHTML, like Gecko) Version/7.0 Mobile/11D257 Safari/9537.53\"
\"Mozilla/5.0 (iPad; CPU OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 (KHTML, like Gecko) Version/7.0 Mobile/11D257 Safari/9537.53\"
\"Mozilla/5.0 (Linux; Android 4.4.2; Nexus 5 Build/KOT49H) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0.1985.135 Mobile Safari/537.36\"
Mozilla/5.0 (Macintosh; Intel Mac OS X 10.9; rv:32.0) Gecko/20100101 Firefox/32.0
Mozilla/5.0 (Windows NT 6.1; WOW64; rv:31.0) Gecko/20100101 Firefox/31.0
Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:31.0) Gecko/20100101 Firefox/31.0
Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko
Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1; WOW64; Trident/6.0)";

/// The locations of artists: a short and a long name, and the position in hundred-thousandths of a degree.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub short: &'static str,
    pub long: &'static str,
    pub latitude: i64,
    pub longitude: i64,
}

const fn place(short: &'static str, long: &'static str, latitude: i64, longitude: i64) -> Place {
    Place { short, long, latitude, longitude }
}

pub(super) const PLACES: [Place; 40] = [
    place("New York, NY", "New York, NY [Manhattan]", 4_079_086, -7_396_644),
    place("Los Angeles, CA", "California - LA", 3_405_349, -11_824_532),
    place("San Francisco, CA", "California - SF", 3_777_916, -12_242_005),
    place("Chicago, IL", "Chicago, Illinois, USA", 4_188_415, -8_763_241),
    place("Nashville, TN", "Nashville, Tennessee", 3_616_778, -8_677_836),
    place("Memphis, TN", "Memphis, Tennessee, USA", 3_514_968, -9_004_892),
    place("Austin, TX", "Austin, Texas", 3_026_759, -9_774_299),
    place("Detroit, MI", "Detroit, Michigan, USA", 4_233_168, -8_304_792),
    place("New Orleans, LA", "New Orleans, Louisiana", 2_995_369, -9_007_771),
    place("Seattle, WA", "Seattle, Washington USA", 4_760_356, -12_232_944),
    place("Brooklyn, NY", "Brooklyn (Williamsburg)", 4_065_507, -7_394_888),
    place("Philadelphia, PA", "Philadelphia, Pennsylvania", 3_995_227, -7_516_237),
    place("Toronto", "Toronto, Ontario, Canada", 4_364_856, -7_938_533),
    place("Montréal", "Montréal, Québec", 4_551_228, -7_355_439),
    place("London", "London, England", 5_150_632, -12_714),
    place("Manchester", "Manchester, England", 5_347_944, -224_514),
    place("Liverpool", "Liverpool, UK", 5_340_977, -297_832),
    place("Glasgow", "Glasgow, Scotland", 5_585_800, -425_900),
    place("Dublin", "Dublin, Ireland", 5_334_807, -624_827),
    place("Paris", "Paris, France", 4_885_693, 234_120),
    place("Berlin", "Berlin, Germany", 5_251_607, 1_337_698),
    place("Köln", "Köln (Cologne), Germany", 5_094_165, 695_517),
    place("Zürich", "Zürich, Switzerland", 4_737_706, 853_955),
    place("Stockholm", "Stockholm, Sweden", 5_933_217, 1_806_243),
    place("Göteborg", "Göteborg, Sweden", 5_770_133, 1_196_689),
    place("Oslo", "Oslo, Norway", 5_991_228, 1_074_998),
    place("Reykjavík", "Reykjavík, Iceland", 6_414_551, -2_191_742),
    place("Madrid", "Madrid, España", 4_041_956, -369_196),
    place("Lisboa", "Lisboa, Portugal", 3_872_568, -915_023),
    place("São Paulo", "São Paulo, Brazil", -2_356_287, -4_665_468),
    place("Salvador", "Salvador, Bahia, Brasil", -1_297_004, -3_851_241),
    place("Buenos Aires", "Buenos Aires, Argentina", -3_461_180, -5_841_731),
    place("Kingston", "Kingston, Jamaica", 1_796_999, -7_679_314),
    place("La Habana", "La Habana, Cuba", 2_313_333, -8_238_333),
    place("Dakar", "Dakar, Sénégal", 1_471_667, -1_746_667),
    place("Lagos", "Lagos, Nigeria", 652_438, 337_921),
    place("東京", "Tokyo, Japan", 3_567_048, 13_974_092),
    place("Sydney", "Sydney, New South Wales, Australia", -3_386_963, 15_120_695),
    place("United States", "USA / online", 3_716_793, -9_584_502),
    place("Kraków", "Kraków, Małopolska", 5_006_143, 1_993_658),
];

#[cfg(test)]
mod tests {
    use super::{PLACES, Words};

    #[test]
    fn no_list_is_empty_or_has_stray_blanks() {
        let words = Words::new();
        let lists = [
            (&words.adjectives, 100),
            (&words.nouns, 200),
            (&words.verbs, 50),
            (&words.foreign_titles, 25),
            (&words.foreign_artists, 15),
            (&words.women, 60),
            (&words.men, 60),
            (&words.surnames, 90),
            (&words.metros, 55),
        ];
        for (list, least) in lists {
            assert!(list.len() >= least, "{}", list.len());
            assert!(list.iter().all(|word| !word.is_empty() && word.trim() == *word));
        }
        assert!(words.title_endings.iter().all(|ending| !ending.trim_start().is_empty()));
        assert!(words.escaped_agents.iter().all(|agent| agent.is_ascii() && agent.contains("\\/5.0")));
        assert!(PLACES.iter().all(|place| place.latitude.abs() < 9_000_000 && place.longitude.abs() < 18_000_000));
    }
}
