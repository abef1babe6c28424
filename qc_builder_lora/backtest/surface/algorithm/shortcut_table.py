"""LEAN's `self.<indicator>(…)` methods, one a line: name, class, what its overloads take.

A parameter is `name:kind` or `name:kind=default`; overloads are parted by `|`. Before them comes
the symbol (`PAIR` two of them, `MANY` a list), after them the resolution and the selector. Names,
order and defaults are those of quantconnect-stubs; `bench/indicator_coverage.py` compares.
"""

from __future__ import annotations

ONE = """
abands AccelerationBands period:int width:float=4 moving_average_type:average=SIMPLE
ad AccumulationDistribution
adosc AccumulationDistributionOscillator fast_period:int slow_period:int
adx AverageDirectionalIndex period:int
adxr AverageDirectionalMovementIndexRating period:int
alma ArnaudLegouxMovingAverage period:int sigma:int=6 offset:float=0.85
ao AwesomeOscillator fast_period:int slow_period:int type:average
apo AbsolutePriceOscillator fast_period:int slow_period:int moving_average_type:average
aps AugenPriceSpike period:int=3
ar AverageRange period:int
arima AutoRegressiveIntegratedMovingAverage ar_order:int diff_order:int ma_order:int period:int
    | ar_order:int diff_order:int ma_order:int period:int intercept:bool
aroon AroonOscillator up_period:int down_period:int | period:int
asi WilderAccumulativeSwingIndex limit_move:float resolution:resolution=DAILY
atr AverageTrueRange period:int type:average=SIMPLE
bb BollingerBands period:int k:float moving_average_type:average=SIMPLE
bop BalanceOfPower
cc CoppockCurve short_roc_period:int=11 long_roc_period:int=14 lwma_period:int=10
cci CommodityChannelIndex period:int moving_average_type:average=SIMPLE
chop ChoppinessIndex period:int
cks ChandeKrollStop atr_period:int atr_mult:float period:int moving_average_type:average=WILDERS
cmf ChaikinMoneyFlow period:int
cmo ChandeMomentumOscillator period:int
co ChaikinOscillator fast_period:int slow_period:int
crsi ConnorsRelativeStrengthIndex rsi_period:int rsi_period_streak:int look_back_period:int
dch DonchianChannel upper_period:int lower_period:int | period:int
dem DeMarkerIndicator period:int type:average
dema DoubleExponentialMovingAverage period:int
do DerivativeOscillator rsi_period:int smoothing_rsi_period:int double_smoothing_rsi_period:int
    signal_line_period:int
dpo DetrendedPriceOscillator period:int
ema ExponentialMovingAverage period:int | period:int smoothing_factor:float
emv EaseOfMovementValue period:int=1 scale:int=10000
fi ForceIndex period:int type:average=EXPONENTIAL
fish FisherTransform period:int
frama FractalAdaptiveMovingAverage period:int long_period:int=198
he HurstExponent period:int max_lag:int=20
heikin_ashi HeikinAshi
hma HullMovingAverage period:int
ht HilbertTransform length:int in_phase_multiplication_factor:float
    quadrature_multiplication_factor:float
ibs InternalBarStrength
ichimoku IchimokuKinkoHyo tenkan_period:int kijun_period:int senkou_a_period:int senkou_b_period:int
    senkou_a_delay_period:int senkou_b_delay_period:int
kama KaufmanAdaptiveMovingAverage period:int | period:int fast_ema_period:int slow_ema_period:int
kch KeltnerChannels period:int k:float moving_average_type:average=SIMPLE
ker KaufmanEfficiencyRatio period:int=2
kst KnowSureThing roc_1_period:int=10 roc_1_ma_period:int=10 roc_2_period:int=15
    roc_2_ma_period:int=10 roc_3_period:int=20 roc_3_ma_period:int=10 roc_4_period:int=30
    roc_4_ma_period:int=15 signal_period:int=9 moving_average_type:average=SIMPLE
kvo KlingerVolumeOscillator fast_period:int slow_period:int signal_period:int=13
logr LogReturn period:int
lsma LeastSquaresMovingAverage period:int
lwma LinearWeightedMovingAverage period:int
macd MovingAverageConvergenceDivergence fast_period:int slow_period:int signal_period:int
    type:average=EXPONENTIAL
mad MeanAbsoluteDeviation period:int
mama MesaAdaptiveMovingAverage fast_limit:float=0.5 slow_limit:float=0.05
mass MassIndex ema_period:int=9 sum_period:int=25
max Maximum period:int
mfi MoneyFlowIndex period:int
mgd McGinleyDynamic period:int
midpoint MidPoint period:int
midprice MidPrice period:int
min Minimum period:int
mom Momentum period:int
momersion Momersion min_period:int? full_period:int
momp MomentumPercent period:int
natr NormalizedAverageTrueRange period:int
obv OnBalanceVolume
pphl PivotPointsHighLow length_high:int length_low:int last_stored_values:int=100 strict:bool=True
    | length_high:int length_low:int last_stored_values:int resolution:resolution
ppo PercentagePriceOscillator fast_period:int slow_period:int moving_average_type:average
psar ParabolicStopAndReverse af_start:float=0.02 af_increment:float=0.02 af_max:float=0.2
pso PremierStochasticOscillator period:int ema_period:int
rc RegressionChannel period:int k:float
rdv RelativeDailyVolume period:int=2 resolution:resolution=DAILY
rma RelativeMovingAverage period:int
roc RateOfChange period:int
rocp RateOfChangePercent period:int
rocr RateOfChangeRatio period:int
rsi RelativeStrengthIndex period:int moving_average_type:average=WILDERS
rsv RogersSatchellVolatility period:int
rvi RelativeVigorIndex period:int moving_average_type:average=SIMPLE
sarext ParabolicStopAndReverseExtended sar_start:float=0.0 offset_on_reverse:float=0.0
    af_start_short:float=0.02 af_increment_short:float=0.02 af_max_short:float=0.2
    af_start_long:float=0.02 af_increment_long:float=0.02 af_max_long:float=0.2
si WilderSwingIndex limit_move:float resolution:resolution=DAILY
sm SqueezeMomentum bollinger_period:int=20 bollinger_multiplier:float=2 keltner_period:int=20
    keltner_multiplier:float=1.5
sma SimpleMovingAverage period:int
sobv SmoothedOnBalanceVolume period:int type:average=SIMPLE
sortino SortinoRatio sortino_period:int minimum_acceptable_return:float=0.0
sr SharpeRatio sharpe_period:int risk_free_rate:float?=None
srsi StochasticRelativeStrengthIndex rsi_period:int stoch_period:int k_smoothing_period:int
    d_smoothing_period:int moving_average_type:average=SIMPLE
stc SchaffTrendCycle cycle_period:int fast_period:int slow_period:int
    moving_average_type:average=EXPONENTIAL
std StandardDeviation period:int
sto Stochastic period:int k_period:int d_period:int | period:int
str SuperTrend period:int multiplier:float moving_average_type:average=WILDERS
sum Sum period:int
swiss SwissArmyKnife period:int delta:float tool:SwissArmyKnifeTool
t_3 T3MovingAverage period:int volume_factor:float=0.7
tdd TargetDownsideDeviation period:int minimum_acceptable_return:float=0
tds TomDemarkSequential
tema TripleExponentialMovingAverage period:int
tp TimeProfile period:int=2 value_area_volume_percentage:float=0.7 price_range_round_off:float=0.05
    resolution:resolution=DAILY
tr TrueRange
trima TriangularMovingAverage period:int
trix Trix period:int
tsf TimeSeriesForecast period:int
tsi TrueStrengthIndex long_term_period:int=25 short_term_period:int=13 signal_period:int=7
    signal_type:average=EXPONENTIAL
ultosc UltimateOscillator period_1:int period_2:int period_3:int
v Variance period:int
vidya VariableIndexDynamicAverage period:int
vp VolumeProfile period:int=2 value_area_volume_percentage:float=0.7
    price_range_round_off:float=0.05 resolution:resolution=DAILY
vtx Vortex period:int
vwma VolumeWeightedMovingAverage period:int
wilr WilliamsPercentR period:int
wto WaveTrendOscillator channel_period:int average_period:int signal_period:int
wwma WilderMovingAverage period:int
zlema ZeroLagExponentialMovingAverage period:int
zz ZigZag sensitivity:float=0.05 min_trend_length:int=1
"""

PAIR = """
b Beta period:int
c Correlation period:int correlation_type:CorrelationType=PEARSON
cov Covariance period:int
"""

MANY = """
addiff AdvanceDeclineDifference
adr AdvanceDeclineRatio
advr AdvanceDeclineVolumeRatio
mosc McClellanOscillator fast_period:int=19 slow_period:int=39
msi McClellanSummationIndex fast_period:int=19 slow_period:int=39
nhnl NewHighsNewLows period:int
nhnlv NewHighsNewLowsVolume period:int
trin ArmsIndex
"""

# Asked for by name where a strategy names them: options.
UNKNOWN = frozenset({"d", "g", "iv", "r", "t", "γ", "δ", "θ", "ρ"})
