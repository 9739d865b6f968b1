//! A harbour at night: sky, sea, a moon and lights. Whole numbers only, so that every machine
//! draws the same bytes.

use super::{png, random::Random};

type Colour = [u8; 3];

const SKIES: [[Colour; 2]; 5] = [
    [[12, 18, 46], [86, 64, 120]],
    [[8, 24, 40], [40, 104, 120]],
    [[28, 12, 40], [168, 72, 80]],
    [[10, 14, 30], [60, 70, 96]],
    [[20, 10, 52], [44, 88, 150]],
];
const LIGHTS: [Colour; 5] =
    [[255, 214, 130], [255, 160, 110], [160, 230, 255], [255, 245, 210], [190, 255, 190]];
const MOODS: [&str; 8] =
    ["Still", "Amber", "Northern", "Quiet", "Violet", "Distant", "Early", "Salt"];
const PLACES: [&str; 8] =
    ["Harbour", "Breakwater", "Lighthouse", "Mooring", "Quay", "Sound", "Anchorage", "Ferry"];

struct Disc {
    x: i64,
    y: i64,
    radius: i64,
    colour: Colour,
}

/// A square picture.
pub(super) struct Drawing {
    side: u32,
    sky: [Colour; 2],
    discs: Vec<Disc>,
    name: String,
}

impl Drawing {
    pub(super) fn new(seeds: [u64; 3], side: u32) -> Self {
        let mut random = Random::new(seeds);
        let sky = random.pick(&SKIES).unwrap_or(SKIES[0]);
        let moon = Disc {
            x: i64::from(side / 5 + random.below(side * 3 / 5)),
            y: i64::from(side / 8 + random.below(side / 4)),
            radius: i64::from(side / 14 + random.below(side / 14)),
            colour: [240, 236, 220],
        };
        let mut discs = vec![moon];
        for _ in 0..5 + random.below(9) {
            discs.push(Disc {
                x: i64::from(random.below(side)),
                y: i64::from(side / 2 + random.below(side / 8)),
                radius: i64::from(1 + side / 80 + random.below(side / 60 + 1)),
                colour: random.pick(&LIGHTS).unwrap_or(LIGHTS[0]),
            });
        }
        let (mood, place) = (random.pick(&MOODS), random.pick(&PLACES));
        let number = seeds[1];
        Self {
            side,
            sky,
            discs,
            name: format!("{} {} #{number}", mood.unwrap_or_default(), place.unwrap_or_default()),
        }
    }

    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    pub(super) fn lights(&self) -> usize {
        self.discs.len() - 1
    }

    pub(super) fn png(&self) -> Vec<u8> {
        let coordinates = (0..self.side).flat_map(|y| (0..self.side).map(move |x| (x, y)));
        let pixels: Vec<u8> =
            coordinates.flat_map(|(x, y)| self.pixel(i64::from(x), i64::from(y))).collect();
        png::encode(self.side, self.side, &pixels)
    }

    fn pixel(&self, x: i64, y: i64) -> Colour {
        let horizon = i64::from(self.side) * 5 / 8;
        // The sea mirrors the sky, darker, and with waves.
        let (row, dim) = if y < horizon {
            (y, 0)
        } else {
            let wave = (x * 7 + y * y / 3) % 11;
            (2 * horizon - y - wave / 4, 2)
        };
        let background = blend(self.sky[0], self.sky[1], row.max(0), horizon);
        let colour = self.discs.iter().fold(background, |under, disc| {
            let (dx, dy) = (x - disc.x, row - disc.y);
            let (distance, glow) = (dx * dx + dy * dy, 4 * disc.radius * disc.radius);
            match distance {
                _ if distance <= disc.radius * disc.radius => disc.colour,
                _ if distance < glow => blend(disc.colour, under, distance, glow),
                _ => under,
            }
        });
        blend(colour, [4, 8, 20], dim, 5)
    }
}

/// From `a` at 0 to `b` at `end`.
fn blend(a: Colour, b: Colour, at: i64, end: i64) -> Colour {
    let at = at.clamp(0, end);
    let mix = |a: u8, b: u8| {
        let mixed = (i64::from(a) * (end - at) + i64::from(b) * at) / end.max(1);
        u8::try_from(mixed).unwrap_or(u8::MAX)
    };
    [mix(a[0], b[0]), mix(a[1], b[1]), mix(a[2], b[2])]
}
