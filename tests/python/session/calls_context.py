"""Calls on the scoreboard: the session, its context and settings."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from session.scoreboard import BEFORE, Outcome, Place, plain, raised, scored

# --- imports ---------------------------------------------------------------------------------------------


@scored("from pyspark.sql.functions import *")
def star_functions(place: Place) -> Outcome:
    names: dict[str, object] = {}
    exec("from pyspark.sql.functions import *", names)
    used = "col udf year month dayofmonth hour weekofyear date_format monotonically_increasing_id desc"
    used += (
        " to_timestamp from_unixtime when lit count countDistinct sum max min avg row_number explode split"
    )
    used += " isnan isnull asc expr"
    return [name for name in used.split() if name not in names], names["sum"] is F.sum


@scored("from pyspark.sql.types import *, from pyspark.sql import *")
def star_types(place: Place) -> Outcome:
    names: dict[str, object] = {}
    exec("from pyspark.sql.types import *\nfrom pyspark.sql import *", names)
    used = "StructType StructField DoubleType FloatType ByteType ShortType DecimalType BooleanType DateType"
    used += " LongType ArrayType MapType StringType IntegerType TimestampType NullType Row SparkSession"
    used += " Window DataFrame Column"
    return [name for name in used.split() if name not in names]


@scored("import pyspark, pyspark.sql.functions as F before a session")
def functions_first(place: Place) -> Outcome:
    import pyspark
    import pyspark.sql.functions as functions
    from pyspark.sql.window import Window

    expressions = [functions.col("a") + 1, functions.lit(1), functions.desc("a"), functions.udf(lambda x: x)]
    return (
        len(expressions),
        Window.unboundedPreceding < 0,
        isinstance(pyspark.__version__, str),
        F is functions,
    )


@scored("star imports, udf and types before a session")
def before_session(place: Place) -> Outcome:
    names = dict(BEFORE)
    songs = place.spark.read.json(f"{place.data}/song_data/*/*/*/*.json", schema=names["schema"])
    return songs.select(
        names["shout"]("song_id").alias("a"), names["letters"](names["col"]("song_id")).alias("b")
    )


@scored("import of SparkContext, SparkConf, SQLContext, StorageLevel")
def old_imports(place: Place) -> Outcome:
    from pyspark import SparkConf, SparkContext, StorageLevel
    from pyspark.sql import HiveContext, SQLContext

    conf = SparkConf().setAppName("x").setMaster("local[*]").set("spark.executor.memory", "1g")
    return (
        conf.get("spark.app.name"),
        StorageLevel.MEMORY_ONLY is not None,
        [one.__name__ for one in (SparkContext, SQLContext, HiveContext)],
    )


@scored("import of exceptions")
def exceptions(place: Place) -> Outcome:
    from pyspark.errors import AnalysisException, PySparkException
    from pyspark.sql.utils import AnalysisException as Older
    from pyspark.sql.utils import ParseException

    return (
        issubclass(AnalysisException, PySparkException),
        issubclass(ParseException, Older),
        Older is AnalysisException,
    )


# --- the session -----------------------------------------------------------------------------------------


@scored("builder with jars, master, memory and S3A settings")
def builder(place: Place) -> Outcome:
    spark = (
        SparkSession.builder.master("local[*]")
        .appName("Sparkify ETL")
        .config("spark.jars.packages", "org.apache.hadoop:hadoop-aws:3.3.4")
        .config("spark.driver.memory", "1g")
        .config("spark.hadoop.fs.s3a.impl", "org.apache.hadoop.fs.s3a.S3AFileSystem")
        .getOrCreate()
    )
    return spark.range(2).count(), spark.sql("SELECT 1 AS a")


@scored("builder.config(conf=SparkConf())")
def builder_conf(place: Place) -> Outcome:
    from pyspark import SparkConf

    conf = SparkConf().setAppName("x").set("spark.sql.shuffle.partitions", "1")
    return SparkSession.builder.config(conf=conf).getOrCreate().range(1).count()


@scored("builder.enableHiveSupport, builder.config(map=)")
def builder_map(place: Place) -> Outcome:
    return (
        SparkSession.builder.config(map={"spark.sql.shuffle.partitions": "1"}).getOrCreate().range(1).count()
    )


@scored("getOrCreate twice, getActiveSession")
def same_session(place: Place) -> Outcome:
    again = SparkSession.builder.getOrCreate()
    place.sql("SELECT 1", shared_view=place.songs)
    return (
        isinstance(place.spark, SparkSession),
        again.table("shared_view").count(),
        SparkSession.getActiveSession() is not None,
    )


@scored("spark.version, sparkContext.version, appName, master")
def versions(place: Place) -> Outcome:
    context = place.spark.sparkContext
    return place.spark.version[0], context.version[0], isinstance(context.appName, str), context.master[:5]


@scored("sparkContext.defaultParallelism, applicationId, uiWebUrl")
def context(place: Place) -> Outcome:
    found = place.spark.sparkContext
    return (
        found.defaultParallelism >= 1,
        isinstance(found.applicationId, str),
        isinstance(found.uiWebUrl, (str, type(None))),
    )


@scored("sparkContext.getConf().getAll()")
def get_conf(place: Place) -> Outcome:
    conf = place.spark.sparkContext.getConf()
    return isinstance(conf.getAll(), list), conf.get("spark.app.name"), conf.get("no.such", "given")


@scored("SparkContext.getOrCreate, SparkSession(sc)")
def get_context(place: Place) -> Outcome:
    from pyspark import SparkContext

    return SparkSession(SparkContext.getOrCreate()).range(3).count()


@scored("SQLContext(sc).sql, read, registerDataFrameAsTable")
def sql_context(place: Place) -> Outcome:
    from pyspark.sql import SQLContext

    context = SQLContext(place.spark.sparkContext)
    place.plays.createOrReplaceTempView("of_context")
    return context.sql("SELECT count(*) AS n FROM of_context"), context.table("of_context").count()


@scored("sc._jsc.hadoopConfiguration().set")
def hadoop(place: Place) -> Outcome:
    place.spark.sparkContext._jsc.hadoopConfiguration().set("fs.s3a.endpoint", "s3.us-west-2.amazonaws.com")
    place.spark._jsc.hadoopConfiguration().set("mapreduce.fileoutputcommitter.algorithm.version", "2")
    return place.spark.range(1).count()


@scored("conf.set, conf.get, conf.unset, isModifiable")
def conf(place: Place) -> Outcome:
    settings = place.spark.conf
    settings.set("spark.my.flag", True)
    settings.set("spark.sql.parquet.compression.codec", "snappy")
    flag = settings.get("spark.my.flag")
    settings.unset("spark.my.flag")
    return (
        flag,
        settings.get("spark.my.flag", None),
        raised(lambda: settings.get("spark.no.such")) != "no exception",
    )


@scored("sql SET")
def sql_set(place: Place) -> Outcome:
    place.spark.sql("SET spark.sql.shuffle.partitions=1")
    return place.spark.conf.get("spark.sql.shuffle.partitions")


@scored("spark.conf.set of the legacy time parser")
def legacy_parser(place: Place) -> Outcome:
    place.spark.conf.set("spark.sql.legacy.timeParserPolicy", "LEGACY")
    try:
        at = F.timestamp_millis("ts")
        return plain(
            place.plays.select(F.date_format(at, "u").alias("d"), F.date_format(at, "EEEE").alias("e"))
        )
    finally:
        place.spark.conf.set("spark.sql.legacy.timeParserPolicy", "EXCEPTION")


@scored("spark.conf.set of ANSI mode off")
def ansi_off(place: Place) -> Outcome:
    place.spark.conf.set("spark.sql.ansi.enabled", "false")
    try:
        return plain(
            place.spark.sql("SELECT cast('a' AS int) a, 1 / 0 b, array(1)[3] c, cast(3000000000 AS int) d")
        )
    finally:
        place.spark.conf.set("spark.sql.ansi.enabled", "true")


@scored("spark.conf.set of case sensitivity")
def case_sensitive(place: Place) -> Outcome:
    place.spark.conf.set("spark.sql.caseSensitive", "true")
    try:
        return raised(lambda: place.plays.select("USERID").collect()) != "no exception"
    finally:
        place.spark.conf.set("spark.sql.caseSensitive", "false")


@scored("newSession")
def new_session(place: Place) -> Outcome:
    return place.spark.newSession().range(2).count()
