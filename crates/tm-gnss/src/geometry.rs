//! Short ways on the surface; exact enough for any distance that matters here (equirectangular, < 0.1 % below 100 km).

/// Mean radius of the Earth, m.
const EARTH_M: f64 = 6_371_009.0;
/// Metres in a degree of latitude.
pub(crate) const METRES_PER_DEG: f64 = EARTH_M * std::f64::consts::PI / 180.0;

/// Metres north and east from one place to another, each a latitude and a longitude in degrees.
pub(crate) fn offset_m(from: [f64; 2], to: [f64; 2]) -> [f64; 2] {
    let middle = f64::midpoint(from[0], to[0]).to_radians();
    let mut east_deg = to[1] - from[1];
    if east_deg.abs() > 180.0 {
        east_deg -= 360.0 * east_deg.signum();
    }
    [
        (to[0] - from[0]) * METRES_PER_DEG,
        east_deg * METRES_PER_DEG * middle.cos(),
    ]
}
