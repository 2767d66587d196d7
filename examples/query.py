"""A small query on a lake: the most played songs, and plays by level."""

import sys

import polars as pl

import sparkify_lake


def main() -> None:
    """Prints the ten songs with the most plays, and the plays of free and paid users."""
    lake = sparkify_lake.open_lake(sys.argv[1] if len(sys.argv) > 1 else "sparkify-sample/lake")
    top = (
        lake.songplays.join(lake.songs.select("song_id", "title"), on="song_id")
        .join(lake.artists.select("artist_id", artist="name"), on="artist_id")
        .group_by("title", "artist")
        .agg(plays=pl.len(), listeners=pl.col("user_id").n_unique())
        .sort("plays", "title", descending=[True, False])
        .head(10)
    )
    levels = (
        lake.songplays.group_by("level")
        .agg(
            plays=pl.len(),
            users=pl.col("user_id").n_unique(),
            matched=pl.col("song_id").is_not_null().mean(),
        )
        .sort("level")
    )
    with pl.Config(tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_rows=10):
        print("The most played songs:", top.collect(), sep="\n")
        print("Plays by level:", levels.collect(), sep="\n")


if __name__ == "__main__":
    main()
