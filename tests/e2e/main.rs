//! What happens to the user, one file per story, through the whole house: simulated hardware,
//! drivers, bus, journal, cloud, API. Every wait is for an event, with a deadline.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod cabinet;
mod told;

mod a_foreign_container_publishes;
mod a_story_does_not_hold;
mod everything_is_there;
mod no_modem_was_fitted;
mod nothing_is_connected;
mod the_access_point_is_corrected;
mod the_access_point_is_mistyped;
mod the_area_goes_dark;
mod the_broker_goes_away;
mod the_clock_steps;
mod the_cloud_goes_away;
mod the_cloud_is_away_for_a_while;
mod the_door_is_opened;
mod the_map_is_changed_by_phone;
mod the_modem_falls_off;
mod the_satellites_are_forged;
mod the_sky_is_false;
mod the_uplink_is_killed;
mod writes_need_a_token;
