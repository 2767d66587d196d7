songs_table_query = """
select distinct song_id, title, artist_id, year, duration from staging_songs
"""
artists_table_query = """
select distinct artist_id, artist_name as artist_name, artist_location, artist_latitude, artist_longitude
from staging_songs
"""
users_table_query = """
with ranked as (
    select *, row_number() over (partition by userId order by ts desc) as position
    from staging_events where page = 'NextSong'
)
select userId as user_id, firstName as first_name, lastName as last_name, gender, level
from ranked where position = 1
"""
time_table_query = """
select distinct start_time, hour(start_time) as hour, day(start_time) as day, weekofyear(start_time) as week,
       month(start_time) as month, year(start_time) as year, date_format(start_time, 'EEEE') as weekday
from (select cast(ts / 1000 as timestamp) as start_time from staging_events where page = 'NextSong')
"""
songplays_table_query = """
select row_number() over (order by e.ts) as songplay_id, cast(e.ts / 1000 as timestamp) as start_time,
       e.userId as user_id, e.level, s.song_id, s.artist_id, e.sessionId as session_id, e.location,
       e.userAgent as user_agent, year(cast(e.ts / 1000 as timestamp)) as year,
       month(cast(e.ts / 1000 as timestamp)) as month
from staging_events e, staging_songs s
where e.page = 'NextSong' and e.song = s.title and e.artist = s.artist_name and e.length = s.duration
"""
