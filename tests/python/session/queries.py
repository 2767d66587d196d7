"""Queries as Sparkify notebooks write them, over a view `t`: their results are compared with PySpark's."""

QUERIES = (
    "select monotonically_increasing_id() as id, userId from t",
    (
        "select hour(from_unixtime(ts/1000)) h, weekofyear(from_unixtime(ts/1000)) w, "
        "dayofmonth(cast(ts/1000 as timestamp)) d from t"
    ),
    (
        "select timestamp(ts/1000) a, to_timestamp('2018-11-01 10:00:00') b, to_date('2018-11-01') c, "
        "date('2018-11-01') d from t"
    ),
    (
        "select dayofweek(cast(ts/1000 as timestamp)) a, weekday(cast(ts/1000 as timestamp)) b, "
        "date_format(cast(ts/1000 as timestamp),'E') c, quarter(to_date('2018-11-01')) q from t"
    ),
    (
        "select level, count(distinct userId), sum(length), avg(length), max(ts), min(ts), stddev(length) "
        "from t group by level order by level"
    ),
    "select * from t where userId = 7",
    "select * from t where ts > '1541106106797'",
    "select count(*) from t",
    (
        "select concat(userId, level) a, concat_ws('-', userId, level) b, upper(level) c, length(level) d, "
        "substring(level,1,2) e, nvl(n,0) f, coalesce(n, 1) g, if(level='paid',1,0) h, isnull(n) from t"
    ),
    (
        "select userId, lag(level) over (partition by userId order by ts) p, rank() over (order by length "
        "desc) r from t"
    ),
    (
        "select date_trunc('hour', cast(ts/1000 as timestamp)) h, trunc(cast(ts/1000 as timestamp),'month')"
        " m, unix_timestamp(cast(ts/1000 as timestamp)) u, datediff(to_date('2018-11-03'), "
        "to_date('2018-11-01')) d, date_add(to_date('2018-11-03'), 2) a from t"
    ),
    (
        "select extract(hour from cast(ts/1000 as timestamp)) e, year(cast(ts/1000 as timestamp)) y, "
        "cast(ts as string) s, cast('12' as int) i, int(length) k, round(length,1) r, ts div 1000 q, ts % 7"
        " m from t"
    ),
    (
        "with a as (select * from t) select x.userId from a x join a y on x.userId = y.userId where x.level"
        " in ('free','paid') and x.length between 1 and 300 limit 1"
    ),
    "select userId from t union all select level from t",
    "select level, count(*) c from t group by level having count(*) > 0 order by c desc, level",
    "select userId, case when length > 100 then 'long' when length is null then 'none' end k from t",
    "select distinct level from t order by 1",
    "select t.* from t",
    "select `userId` as `user id` from t",
    "select explode(array(1,2)) x",
    (
        "select trunc(to_date('2018-11-15'),'month') m, last_day(to_date('2018-11-15')) l, "
        "add_months(to_date('2018-11-15'),1) a, date_sub(to_date('2018-11-15'),3) s"
    ),
    (
        "select split('a,b',',') s, split('a,b',',')[0] z, regexp_replace('abc','b','x') r, "
        "regexp_extract('abc12','([0-9]+)',1) e, trim(' a ') t, lower('A') l, initcap('ab cd') i, "
        "instr('abc','b') n, lpad('a',3,'x') p, reverse('abc') v"
    ),
    "select floor(1.7D) f, ceil(1.2D) c, round(2.5D) r, round(1.245D,2) r2, abs(-1) a",
    (
        "select pow(2,3) p, sqrt(4) s, 7/2 d, 7%3 m, -7%3 n, greatest(1,2) g, least(1,2) l, exp(0) e, "
        "log(1) lo"
    ),
    (
        "select cast(2.7D as int) a, cast(-2.7D as int) b, cast('3' as double) c, cast(1 as boolean) e, "
        "cast('2018-11-01 10:11:12' as timestamp) f, cast(12345678.5D as string) g, cast(true as string) h,"
        " cast(1541106106 as timestamp) i, cast('2018-11-01' as date) j"
    ),
    ("select sum(n) a, avg(n) b, count(n) c, max(level) d, min(ts) e, sum(ts) f, variance(length) v from t"),
    (
        "select level, sum(length) over (partition by level order by ts) s, dense_rank() over (order by "
        "level) d, ntile(2) over (order by ts) n, lead(ts) over (order by ts) l, first_value(level) over "
        "(order by ts) f, percent_rank() over (order by ts) p from t"
    ),
    "select level, count(1) from t group by 1 order by 2 desc, 1",
    (
        "select count(if(level='paid',1,null)) p, count_if(level='paid') c, sum(case when level='paid' then"
        " 1 else 0 end) s from t"
    ),
    "select a.userId, b.level from t a left join t b on a.userId=b.userId and b.level='paid'",
    "select a.userId from t a left semi join t b on a.n=b.n",
    "select a.userId from t a left anti join t b on a.n=b.n",
    (
        "select 'abc' like 'a%' l, 'abc' rlike '^b' r2, 'A' = 'a' c, null <=> null n, length('ü') u, "
        "nullif(1,1) ni, nvl2(null,1,2) n2, char_length('ab') cl, concat('a',null) cn, 'a'||'b' co, "
        "md5('a') m"
    ),
    (
        "select level, year(from_unixtime(ts/1000)) y, month(from_unixtime(ts/1000)) m from t group by "
        "level, ts order by ts"
    ),
    "select date_format(from_unixtime(ts/1000,'yyyy-MM-dd HH:mm:ss'),'MMMM dd') f from t",
    (
        "select current_timestamp() > to_timestamp('2018-01-01') c, to_timestamp('01/11/2018','dd/MM/yyyy')"
        " t, make_date(2018,11,1) m, hour(timestamp '2018-11-01 10:00:00') h"
    ),
    "select timestamp '2018-11-01 10:00:00' + interval 1 hour i, datediff('2018-11-03','2018-11-01') d",
    "select cast(ts/1000 as timestamp) + interval 1 day p from t",
    "select unix_timestamp('2018-11-01 00:00:00') u",
    "select userId, count(*) as plays from t group by userId order by plays desc, userId limit 1",
    "select level, avg(length) as `Mean Length` from t group by level",
    "select * from (values (1,'a'),(2,'b')) as v(x,y)",
    "select t.level as Level from t where level <> 'free'",
    "select array_contains(array(1,2),1) a, size(array(1,2)) s, sort_array(array(2,1)) o",
    "select transform(array(1,2), x -> x + 1) tr",
    "select USERID, Level from t",
    "select 2018 = '2018' a",
    "select max(length) - min(length) from t",
    "select count(*) + 1, level is null from t group by level",
    "select s.a from (select userId a from t) s",
)
