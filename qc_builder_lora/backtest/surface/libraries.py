"""Which libraries a strategy may import: some of those that LEAN's Python has.

Names only; the sandbox shows these in its root and no others.
"""

from __future__ import annotations

# Libraries of LEAN's own Python environment that are let in where they are installed here.
LIBRARIES = frozenset({"numpy", "pandas", "scipy", "sklearn", "statsmodels", "pytz", "dateutil"})
# What those import in turn.
SUPPORT = frozenset(
    {"six", "tzdata", "joblib", "threadpoolctl", "patsy", "packaging", "pyarrow", "numexpr",
     "bottleneck", "numba", "llvmlite", "psutil", "cloudpickle", "narwhals", "formulaic",
     "interface_meta", "wrapt", "typing_extensions"}
)  # fmt: skip
# Others that LEAN's image carries: their absence here is ours, not the strategy's.
_LEAN_ONLY = (
    "arch autograd catboost cvxopt cvxpy dask deap ecos fastai fbprophet featuretools gensim "
    "gluonts gplearn gym h5py hmmlearn hurst keras keras_rl lightgbm lxml matplotlib mlfinlab "
    "mplfinance networkx nltk nolds numba openai opt_einsum osqp pandas_ta plotly pmdarima "
    "prophet pulp pyfolio pykalman pymc pyportfolioopt pypfopt pyro pywt pyvinecopulib "
    "QuantLib quantecon requests riskfolio ruptures seaborn shap simpy skfuzzy "
    "stable_baselines3 stockstats stumpy sympy ta talib tensorflow tensorflow_probability "
    "theano torch transformers tsfresh ujson wordcloud wrapt xgboost yfinance "
)
LEAN_ONLY = frozenset(_LEAN_ONLY.split())
